"""One file per family or group of close ones; each defines `FAMILIES`, a tuple of `parsing.family.Family`.

deepseek.py    DeepSeek: V3 and R1 (JSON in a fence), V3.1 (bare JSON), V3.2 and V4 (DSML elements); Kimi K2 is
               close to V3.1
elements.py    Calls as elements, one per argument: Qwen3-Coder and Qwen 3.5, Nemotron 3, Step 3.5, Seed-OSS,
               MiniMax, and others
gemma.py       Gemma 4 and FunctionGemma: `call:name{key:value}` between marks, text between marks of its own
glm.py         GLM 4.5 and later: the name, then elements for key and value in turn; Hunyuan 3 and Step 3 nest it
               deeper
harmony.py     gpt-oss (harmony): a message on the commentary channel, addressed to `functions.<name>`, with JSON
               arguments
hermes.py      Hermes and its kin: a JSON object between tags. Qwen 2.5 and 3, Granite 4, ERNIE 4.5 and close ones
json_lists.py  A JSON list of calls after a mark: Granite 3, Jamba, Hunyuan A13B, Phi-4, xLAM, Cohere Command,
               Apertus
kimi_k3.py     Kimi K3: elements between `<|open|>`, `<|sep|>` and `<|close|>`, each argument with the type of its
               value
marks.py       PLaMo 3, K2 Horizon and Hunyuan 4: the name and each argument between marks of the family's own
minimax_m3.py  MiniMax M3: elements named after the arguments, nested for objects and lists, a mark before every tag
mistral.py     Mistral: `[TOOL_CALLS]` and a JSON list (up to v10 of its tokenizer), or the name and then the
               arguments (v11 on)
plain.py       A bare JSON object, as the published references write a call and as Llama 3 does
pythonic.py    Lists of Python calls: Llama 4 and 3.2, LFM 2, OLMo 3, and tool code of Gemma 3
"""
