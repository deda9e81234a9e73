// What to say of a film that this browser cannot read.

const CODECS = {
  avc: "H.264",
  hevc: "HEVC (H.265)",
  av1: "AV1",
  vp8: "VP8",
  vp9: "VP9",
  mp4v: "MPEG-4 Visual",
  jpeg: "Motion JPEG",
  mjpg: "Motion JPEG",
  V_MJPEG: "Motion JPEG",
  prores: "ProRes",
};
const KINDS = { avi: "AVI files", wmv: "Windows Media files", flv: "Flash video files" };
const ADVICE =
  "Send it to the server, which reads more kinds of film, or save it as MP4 with H.264 and choose that file.";

// Unknown names come from the file itself; a list of numbers is none.
const named = (codec) => CODECS[codec] ?? (/^[\w./ -]{2,24}$/.test(codec) ? `“${codec}”` : "this codec");

// `why` is that of frames.js: {codec}, {kind} or {empty}.
export function sentenceOf({ codec, kind, empty }) {
  if (empty) return "This file holds no pictures, so nothing was scored. Choose a video or a photo.";
  if (codec) {
    return `This browser cannot decode ${named(codec)}, the codec of this film, so nothing was scored. ${ADVICE}`;
  }
  return `This browser cannot open ${KINDS[kind] ?? "this kind of file"}, so nothing was scored. ${ADVICE}`;
}
