// What consumers/protocol.py is for Python: one case in, one line of JSON out.
import fs from 'node:fs';
import path from 'node:path';

const LIMIT = 2e-5; // of the largest logit
const NOISE = 8; // see protocol.py

function array(folder, entry) {
  const raw = fs.readFileSync(path.join(folder, entry.file));
  const bytes = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength);
  const made = { '<i8': BigInt64Array, '<i4': Int32Array, '<f4': Float32Array }[entry.dtype];
  if (!made) throw new Error(`feeds of type ${entry.dtype}`);
  return { data: new made(bytes), type: { '<i8': 'int64', '<i4': 'int32', '<f4': 'float32' }[entry.dtype], dims: entry.shape };
}

export function feeds(folder) {
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'feeds.json')));
  return {
    runs: manifest.runs.map((r) => ({
      past: r.past,
      inputs: Object.fromEntries(Object.entries(r.inputs).map(([k, v]) => [k, array(folder, v)])),
      logits: array(folder, r.logits),
      noise: r.noise,
    })),
    long: Object.fromEntries(Object.entries(manifest.long).map(([k, v]) => [k, array(folder, v)])),
  };
}

export async function main(version, run) {
  const [folder, feedsFolder] = process.argv.slice(2);
  const out = { version, verdict: 'same', max_abs: 0, limit: 0, note: '' };
  const compare = (got, want, noise = 0) => {
    if (got.length !== want.length) throw new Error(`${got.length} logits, expected ${want.length}`);
    let apart = 0;
    let most = 0;
    for (let i = 0; i < want.length; i++) {
      const d = Math.abs(got[i] - want[i]);
      apart = d <= apart ? apart : Number.isFinite(d) ? d : Infinity;
      most = Math.max(most, Math.abs(want[i]));
    }
    out.max_abs = Math.max(out.max_abs, apart);
    out.limit = Math.max(out.limit, LIMIT * most, NOISE * noise);
  };
  try {
    await run(path.resolve(folder), feeds(feedsFolder), compare);
    if (out.limit === 0) throw new ReferenceError('nothing was compared');
    if (!(out.max_abs <= out.limit)) out.verdict = 'wrong';
    if (!Number.isFinite(out.max_abs)) out.max_abs = null;
  } catch (e) {
    out.verdict = e instanceof ReferenceError || e instanceof TypeError ? 'broken' : 'refused';
    out.note = String(e.message ?? e).replace(/\s+/g, ' ').slice(0, 300);
    out.max_abs = out.limit = null;
    if (out.verdict === 'broken') console.error(e);
  }
  console.log('\n' + JSON.stringify(out));
  process.exit(0); // worker threads of the runtime would keep it alive
}
