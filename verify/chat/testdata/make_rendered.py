#!/usr/bin/env python3
"""Record what transformers renders of the templates in templates/.

    python3 -m venv v && v/bin/pip install transformers==5.24.0 jinja2==3.1.6
    v/bin/python make_rendered.py

Writes rendered.json: {"cases": {name: messages}, "rendered": {template: {case: text, or null where it fails}}}. bos_token is
<s>, eos_token </s>.
"""
import json
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = Path(__file__).resolve().parent
CASES = {
    "user": [{"role": "user", "content": "Hello, who are you?"}],
    "system": [{"role": "system", "content": "Be  brief. "}, {"role": "user", "content": " Hi \u00e9 <b> \"q\" 'x' \\n {{ y }}\n"}],
    "turns": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}],
}


def render(text, messages):
    try:
        return _compile_jinja_template(text).render(messages=messages, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")
    except Exception as error:
        print(error)
        return None


rendered = {}
for path in sorted((HERE / "templates").iterdir()):
    rendered[path.stem] = {name: render(path.read_text(), messages) for name, messages in CASES.items()}
(HERE / "rendered.json").write_text(json.dumps({"cases": CASES, "rendered": rendered}, indent=1) + "\n")
