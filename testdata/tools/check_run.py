#!/usr/bin/env python3
"""Hold `pecvt run` against transformers' generate, greedy, by hand:

    python check_run.py PECVT FOLDER ... [--tokens 64]

Each folder is one that pecvt wrote, and is loaded by transformers as it stands (version 5.24.0, torch 2.6.0). Prompts are
plain ones and, where there is a chat template, its own. Ids and texts must be equal.
"""
import argparse
import json
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = ["Once upon a time", "def fibonacci(n):\n", "Die Hauptstadt von Frankreich", "1, 2, 3, 4,", "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3092", "Q: \U0001f600?\nA:"]


def ours(pecvt, folder, *args):
    done = subprocess.run([pecvt, "run", folder, "--json", *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{folder}: {done.stderr}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("pecvt")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    wrong = 0
    for folder in args.folders:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except Exception:
            tokenizer = None
        cases = []
        if tokenizer is None:
            cases = [(["--ids", text], [int(x) for x in text.split(",")]) for text in ("1", "1,403,407,261,378,3", "1,77,300")]
        else:
            cases = [(["--prompt", p], tokenizer(p).input_ids) for p in PROMPTS]
            if tokenizer.chat_template:
                for p in PROMPTS[:3]:
                    ids = tokenizer.apply_chat_template([{"role": "system", "content": "Be brief."}, {"role": "user", "content": p}], add_generation_prompt=True, return_dict=True)["input_ids"]
                    cases.append((["--chat", "--system", "Be brief.", "--prompt", p], ids))
        for flags, ids in cases:
            x = torch.tensor([ids])
            y = model.generate(x, attention_mask=torch.ones_like(x), do_sample=False, max_new_tokens=args.tokens)[0, len(ids):].tolist()
            r = ours(args.pecvt, folder, *flags, "--max-tokens", str(args.tokens))
            same = r["prompt_ids"] == ids and r["ids"] == y
            if tokenizer is not None:
                before, after = tokenizer.decode(ids, skip_special_tokens=True), tokenizer.decode(ids + y, skip_special_tokens=True)
                same = same and before + r["text"] == after
            wrong += not same
            print("equal" if same else "NOT EQUAL", len(y), r["stopped"], folder, flags[-1].encode("ascii", "backslashreplace").decode())
            if not same:
                print(" prompt", r["prompt_ids"], ids, "\n tokens", r["ids"], y)
    sys.exit(wrong > 0)


main()
