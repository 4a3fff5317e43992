"""Does llama.cpp read what `tft export --format gguf` writes? Its tokens and its greedy answers beside transformers'.

    python tests/benchmarks/llama_cpp.py [--node FOLDER]

FOLDER is one in which `npm install node-llama-cpp` was run: llama.cpp with its binaries, driven by Node.js. A small
random model of each architecture is exported. Exit status 1 where a text has other tokens, or an answer has.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from transformers import AutoTokenizer

from harness.models.exports.gguf import write_gguf
from harness.models.imports.convert import ToConvert
from harness.training.small_model import create_student, sample_texts
from support.gguf_files import ARCHITECTURES, small_model

TOKENS = 12
TEXTS = (
    '{"name": "find", "arguments": {"city": "San Jose", "seats": 2}}',
    "  two  spaces\n\n\tand 4567 naïve Cafés 東京 🍕",
    "<tool_call>x</tool_call><|im_end|>",
)
CHAT = [{"role": "system", "content": "You book tables."}, {"role": "user", "content": "One for 12, at the Café 🍕."}]
ASK = """
import fs from "fs";
import {getLlama} from "node-llama-cpp";
process.execArgv.length = 0; // of "-e", which its own processes would take over
const {model: path, prompt, texts, most} = JSON.parse(fs.readFileSync(0, "utf8"));
const llama = await getLlama({gpu: false, build: "never", logLevel: "error"});
const model = await llama.loadModel({modelPath: path});
const context = await model.createContext({contextSize: 512, threads: 1});
const ids = texts.map((text) => [...model.tokenize(text, true)].map(Number));
const answer = [];
for await (const token of context.getSequence().evaluate(prompt, {temperature: 0})) {
    answer.push(Number(token));
    if (answer.length >= most || model.isEogToken(token)) break;
}
console.log(JSON.stringify({ids, answer, template: model.fileInfo.metadata.tokenizer.chat_template}));
process.exit(0);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", type=Path)
    options = parser.parse_args()
    if options.node is None:
        print("not run: no folder with node-llama-cpp; give --node")
        return
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        folder = Path(name)
        create_student(folder / "student", texts=sample_texts(), parameters=400_000, vocabulary=600, context=512)
        bad = [architecture for architecture in ARCHITECTURES if differs(folder, architecture, options.node)]
    sys.exit(bool(bad))


def differs(folder: Path, architecture: str, node: Path) -> bool:
    """Export one model, and compare."""
    made = folder / architecture
    weights = shutil.ignore_patterns("*.safetensors", "config.json", "generation_config.json")
    shutil.copytree(folder / "student", made, ignore=weights)
    tokenizer = AutoTokenizer.from_pretrained(made)
    model = small_model(architecture, len(tokenizer), tied=architecture == "qwen3")
    model.save_pretrained(made)
    file = folder / f"{architecture}.gguf"
    write_gguf(ToConvert(source=made, name=f"me/{architecture}", out=file, dtype="float32"), "a benchmark")
    chat = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    texts = [*TEXTS, chat]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    with torch.inference_mode():
        [row] = model.generate(torch.tensor([ids[-1]]), max_new_tokens=TOKENS, do_sample=False).tolist()
    found = _asked(node, {"model": str(file), "prompt": ids[-1], "texts": texts, "most": TOKENS})
    same = {
        "tokens of texts": found["ids"] == ids,
        "greedy answer": found["answer"] == row[len(ids[-1]) :],
        "chat template": found["template"] == tokenizer.chat_template,
    }
    print(f"{architecture}: " + ", ".join(f"{what} {'the same' if ok else 'OTHERWISE'}" for what, ok in same.items()))
    return not all(same.values())


def _asked(node: Path, request: dict[str, Any]) -> dict[str, Any]:
    command = ["node", "--input-type=module", "-e", ASK]
    done = subprocess.run(command, cwd=node, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
