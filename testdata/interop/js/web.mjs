// onnxruntime-web, WebAssembly, in node. A page passes external data the same way.
import fs from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-web';
import { main } from './protocol.mjs';

ort.env.wasm.numThreads = 1;

await main(ort.env.versions.web ?? ort.env.versions.common, async (folder, feeds, compare) => {
  const beside = fs.readdirSync(folder).filter((f) => f.endsWith('.safetensors') || f.endsWith('.data'));
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(path.join(folder, 'model.onnx'))), {
    executionProviders: ['wasm'],
    externalData: beside.map((f) => ({ path: f, data: new Uint8Array(fs.readFileSync(path.join(folder, f))) })),
  });
  for (const run of feeds.runs) {
    const inputs = Object.fromEntries(Object.entries(run.inputs).map(([k, v]) => [k, new ort.Tensor(v.type, v.data, v.dims)]));
    const { logits } = await session.run(inputs);
    compare(logits.data, run.logits.data, run.noise);
  }
});
