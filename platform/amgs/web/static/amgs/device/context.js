// What the seconds round a frame tell; mirrors models/context.py (ticks, Context.answer) and
// models/scorer.py (_answered, _chunk).

const tickOf = (time, told) => Math.floor(time / told.tick_s + 1e-6);

// models.context.ticks: means over ticks as (F + 1, count).
function ticks(rows, first, count, told) {
  const wide = rows[0].features.length;
  const sums = new Float64Array(wide * count);
  const held = new Int32Array(count);
  for (const row of rows) {
    const place = tickOf(row.time, told) - first;
    if (place < 0 || place >= count) continue;
    held[place] += 1;
    for (let n = 0; n < wide; n++) sums[n * count + place] += row.features[n];
  }
  const result = new Float32Array((wide + 1) * count);
  for (let n = 0; n < wide; n++) {
    for (let place = 0; place < count; place++) {
      result[n * count + place] = sums[n * count + place] / Math.max(held[place], 1);
    }
  }
  for (let place = 0; place < count; place++) result[wide * count + place] = held[place] > 0;
  return result;
}

export class Context {
  constructor(graph, told) {
    this.graph = graph;
    this.told = told;
  }

  // The answers to the rows that lie in a chunk; `rows` are all in its reach.
  async answer(rows, chunk) {
    const { chunk: length, reach } = this.told;
    const first = chunk * length - reach;
    const count = length + 2 * reach;
    const wanted = rows.filter((row) => Math.floor(tickOf(row.time, this.told) / length) === chunk);
    const wide = rows[0].features.length;
    const own = new Float32Array(wanted.length * wide);
    wanted.forEach((row, n) => own.set(row.features, n * wide));
    const column = BigInt64Array.from(wanted, (row) =>
      BigInt(tickOf(row.time, this.told) - first),
    );
    const grid = ticks(rows, first, count, this.told);
    const said = await this.graph.run({
      ticks: [grid, [1, wide + 1, count]],
      own: [own, [wanted.length, wide]],
      row: [new BigInt64Array(wanted.length), [wanted.length]],
      column: [column, [wanted.length]],
    });
    return wanted.map((row, n) => {
      const one = (output) => {
        const size = output.data.length / wanted.length;
        return output.data.slice(n * size, (n + 1) * size);
      };
      return {
        ...row,
        grades: one(said.grades),
        scorable: one(said.scorable),
        states: one(said.states),
      };
    });
  }

  // Blocks of rows in, answered rows out, once all that lies in their reach was seen.
  async *answered(blocks) {
    const { chunk: length, reach } = this.told;
    const tick = (row) => tickOf(row.time, this.told);
    let [held, chunk] = [[], null];
    for await (const block of blocks) {
      held.push(...block);
      chunk ??= Math.floor(tick(block[0]) / length);
      while (tick(block[0]) >= (chunk + 1) * length + reach) {
        yield* await this.ofChunk(held, chunk);
        chunk += 1;
        const from = chunk * length - reach;
        held = held.filter((row) => tick(row) >= from);
      }
    }
    if (!held.length) return;
    const last = Math.floor(tick(held.at(-1)) / length);
    for (; chunk <= last; chunk++) yield* await this.ofChunk(held, chunk);
  }

  async ofChunk(held, chunk) {
    const { chunk: length, reach } = this.told;
    const near = held.filter((row) => {
      const tick = tickOf(row.time, this.told);
      return tick >= chunk * length - reach && tick < (chunk + 1) * length + reach;
    });
    const any = near.some((row) => Math.floor(tickOf(row.time, this.told) / length) === chunk);
    return any ? this.answer(near, chunk) : [];
  }
}
