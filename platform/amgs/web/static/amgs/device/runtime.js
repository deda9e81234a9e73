// Graphs of a bundle in onnxruntime-web: one thread of WebAssembly, all files kept on the device.

import { forgetOthers, keptBytes, newestJson } from "./kept.js";

export class Graph {
  constructor(ort, session) {
    this.ort = ort;
    this.session = session;
  }

  // Inputs and outputs by name; an input is [typed array, shape].
  async run(inputs, wanted) {
    const feeds = {};
    for (const [name, [data, dims]] of Object.entries(inputs)) {
      const kind = data instanceof BigInt64Array ? "int64" : "float32";
      feeds[name] = new this.ort.Tensor(kind, data, dims);
    }
    return wanted ? this.session.run(feeds, wanted) : this.session.run(feeds);
  }
}

export class Runtime {
  // `base` is the absolute address of a version's files, with a slash at its end.
  static async open(base) {
    const made = new Runtime();
    made.base = base;
    made.told = await newestJson(base, `${base}device.json`);
    const { script, wasm } = made.told.runtime;
    const addresses = [script, wasm].map((address) => new URL(address, base).href);
    await forgetOthers(base);
    made.ort = await import(addresses[0]);
    made.ort.env.wasm.numThreads = 1;
    made.ort.env.wasm.proxy = false;
    made.ort.env.wasm.wasmBinary = await keptBytes(base, addresses[1]);
    made.ort.env.logLevel = "error";
    made.graphs = new Map();
    return made;
  }

  // A graph by its name, opened once.
  graph(name) {
    if (!this.graphs.has(name)) this.graphs.set(name, this.opened(name));
    return this.graphs.get(name);
  }

  async opened(name) {
    const bytes = new Uint8Array(await keptBytes(this.base, `${this.base}${name}.onnx`));
    const session = await this.ort.InferenceSession.create(bytes, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
    });
    return new Graph(this.ort, session);
  }
}
