// A worker that reads a file once, a chunk at a time, and tells the digests of its parts and, at
// the end, of the whole. The file is never in memory as a whole.

self.onmessage = async ({ data: { file, partSize, md5, libraries } }) => {
  try {
    importScripts(...libraries);
    const whole = (await self.hashwasm.createSHA256()).init();
    const sha256 = await self.hashwasm.createSHA256();
    const check = md5 ? await self.hashwasm.createMD5() : null;
    for (let start = 0, part = 1; start < file.size; start += partSize, part += 1) {
      sha256.init();
      check?.init();
      const reader = file.slice(start, start + partSize).stream().getReader();
      for (let step = await reader.read(); !step.done; step = await reader.read()) {
        whole.update(step.value);
        sha256.update(step.value);
        check?.update(step.value);
      }
      const digest = sha256.digest("binary");
      self.postMessage({ part, sha256: hex(digest), header: header(digest, check) });
    }
    self.postMessage({ whole: whole.digest("hex") });
  } catch (problem) {
    self.postMessage({ problem: problem.name, sentence: problem.message });
  }
};

// The header with which the storage compares a part on arrival.
function header(digest, check) {
  if (check) return { name: "Content-MD5", value: base64(check.digest("binary")) };
  return { name: "Content-Digest", value: `sha-256=:${base64(digest)}:` };
}

function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
