// in a thread of its own, so that painting never waits for the generator
let ort, session;
onmessage = async ({ data }) => {
  try {
    if (data.runtime) {
      ort = await import(data.runtime);
      ort.env.wasm.numThreads = 1; // more need headers that only a server can send
      ort.env.wasm.wasmBinary = data.wasm.buffer;
      session = await ort.InferenceSession.create(data.model, { executionProviders: ["wasm"] });
      postMessage({ ready: true });
    } else {
      const { output } = await session.run({ input: new ort.Tensor("float32", data.x, data.shape) });
      postMessage({ y: output.data });
    }
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
