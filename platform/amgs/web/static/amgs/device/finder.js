// Finding the face in a picture of the camera, as models/faces.py finds it in a film.
//
//   const finder = await createFinder({ base: "/score/on-device/<digest>/" });
//   const { found, box, view, sharpness, size } = await finder.find(imageData);
//
// `found` follows the gate of the scorer; `box` is [x0, y0, x1, y1] in pixels of the picture, `view`
// one of frontal, three_quarter, profile, none; `sharpness` the variance of the Laplacian (blurred
// under `minimumSharpness`), `size` the shorter side of the box in pixels (too small to grade under
// `minimumFace`). The work is done in a worker; ask for one picture after the other.

import { Device } from "./client.js";

export async function createFinder({ base }) {
  const device = new Device(base);
  const crop = await device.ask("open").catch((problem) => {
    device.close();
    throw problem;
  });
  return {
    minimumFace: crop.minimum_face,
    minimumSharpness: crop.minimum_sharpness,
    async find({ data, width, height }) {
      const face = await device.ask("find", { picture: { data, width, height } });
      const [x0, y0, x1, y1] = face.box;
      return {
        found: face.confidence >= crop.minimum_confidence && face.view !== "none",
        confidence: face.confidence,
        box: face.box,
        view: face.view,
        sharpness: face.sharpness,
        size: Math.min(x1 - x0, y1 - y0),
      };
    },
    close: () => device.close(),
  };
}
