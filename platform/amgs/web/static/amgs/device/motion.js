// The motion channels of frames; mirrors models/context.py (Track, motion, features).
//
// A row of the track is {time, found, box, opening (or null), small (plane)}.

const side = (box) => Math.max(box[2] - box[0], box[3] - box[1]);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

// models.context.Track.tail
export function tail(track, seconds) {
  const from = track.at(-1).time - seconds;
  const first = track.findIndex((row) => row.time >= from);
  return track.slice(first);
}

function difference(one, other) {
  let sum = 0;
  for (let n = 0; n < one.data.length; n++) sum += Math.abs(one.data[n] - other.data[n]);
  return sum / one.data.length / 255;
}

function place(track, time) {
  let last = -1;
  for (let n = 0; n < track.length && track[n].time <= time; n++) last = n;
  return last;
}

// The channels of the frames from `first` on, in the order of models.context.MOTION.
export function motion(track, first, told) {
  return track.slice(first).map((here) => {
    const at = place(track, here.time - told.lag_s + 1e-6);
    const old = track[Math.max(at, 0)];
    const lag = here.time - old.time;
    const known =
      at >= 0 && lag > 0 && lag <= told.longest_lag_s && here.found && old.found;
    const opening = here.opening ?? -1;
    if (!known) return Float32Array.of(0, 0, 0, 0, opening, here.found, 0);
    const wide = Math.max(side(here.box), 1);
    const centre = (box, n) => (box[n] + box[n + 2]) / 2;
    const away = Math.hypot(
      centre(here.box, 0) - centre(old.box, 0),
      centre(here.box, 1) - centre(old.box, 1),
    );
    const growth = Math.log(wide / Math.max(side(old.box), 1)) / lag;
    const both = here.opening !== null && old.opening !== null;
    return Float32Array.of(
      difference(here.small, old.small) / lag,
      within(away / wide / lag, 0, 20),
      within(growth, -5, 5),
      both ? within((here.opening - old.opening) / lag, -20, 20) : 0,
      opening,
      here.found,
      1,
    );
  });
}

// models.context.features: what the frame graph says, zero without a face, then the motion.
export function features(said, found, moving) {
  const parts = [said.embedding, said.grades, said.scorable, said.states];
  const length = parts.reduce((sum, one) => sum + one.length, 0) + moving.length;
  const row = new Float32Array(length);
  let at = 0;
  for (const one of parts) {
    if (found) row.set(one, at);
    at += one.length;
  }
  row.set(moving, at);
  return row;
}
