// Lighthouse as a phone on one page: node page_weight.mjs ADDRESS; CHROME_PATH names the browser.
// Prints {performance, accessibility, best-practices, kilobytes, first_paint_s, failed}.

import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const chrome = await launch({ chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"] });
const kinds = ["performance", "accessibility", "best-practices"];
try {
  const { lhr } = await lighthouse(process.argv[2], { port: chrome.port, output: "json", logLevel: "error", onlyCategories: kinds });
  const told = Object.fromEntries(kinds.map((kind) => [kind, Math.round(100 * lhr.categories[kind].score)]));
  const failed = kinds.flatMap((kind) =>
    lhr.categories[kind].auditRefs
      .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
      .map(({ id }) => `${id}: ${lhr.audits[id].displayValue ?? lhr.audits[id].title}`),
  );
  const kilobytes = lhr.audits["total-byte-weight"].numericValue / 1000;
  const first = lhr.audits["first-contentful-paint"].numericValue / 1000;
  console.log(JSON.stringify({ ...told, kilobytes, first_paint_s: first, failed }));
} finally {
  await chrome.kill();
}
