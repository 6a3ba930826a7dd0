// transformers.js in node: the model by its folder, a forward pass with an empty
// cache that it builds itself, then a second call on that cache.
import fs from 'node:fs';
import path from 'node:path';
import { AutoModelForCausalLM, DynamicCache, Tensor, env } from '@huggingface/transformers';
import { main } from './protocol.mjs';

env.allowRemoteModels = false;
env.allowLocalModels = true;

await main(env.version, async (folder, feeds, compare) => {
  env.localModelPath = path.dirname(folder) + '/';
  // A folder made for it is loaded by its defaults; of another one it must be told.
  const options = fs.existsSync(path.join(folder, 'onnx', 'model.onnx')) ? {} : { dtype: 'fp32', device: 'cpu', subfolder: '' };
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(folder), options);
  const { ids, logits } = feeds.long;
  const vocab = logits.dims[1];
  const count = 24;
  const piece = (from, to, cache) => model({
    input_ids: new Tensor('int64', ids.data.slice(from, to), [1, to - from]),
    attention_mask: new Tensor('int64', new BigInt64Array(to).fill(1n), [1, to]),
    ...(cache ? { past_key_values: cache } : {}),
  });
  const first = await piece(0, count);
  compare(first.logits.data, logits.data.slice(0, count * vocab));
  const cache = new DynamicCache(
    Object.fromEntries(Object.entries(first).filter(([k]) => k.startsWith('present')).map(([k, v]) => [k.replace('present', 'past_key_values'), v])),
  );
  const second = await piece(count, count + 3, cache);
  compare(second.logits.data, logits.data.slice(count * vocab, (count + 3) * vocab));
});
