"""Training: conversations to token-exact examples, LoRA with TRL and PEFT, merged weights.

auto_batch.py    batch_size=auto: as many examples per forward pass as memory holds, and fewer where it runs out later
batches.py       Batches of examples: their order, their layout, and the loss with its weight per token
checkpoints.py   Checkpoints of a training run: only complete ones count, and only those of the same run
config.py        The settings of a training run: published ones as defaults, unknown ones refused
data.py          Training data: conversations from a dataset's commit or a local file, and what is unusual about
                 them
examples.py      Training examples: token ids, and which of them carry loss
half_adapters.py  Adapters that compute in bfloat16 and are held in float32, cast once per forward pass
log.py           The log of a training run, one line per step; the libraries' own logs are kept off the terminal
loop.py          Trains a student on examples with TRL and PEFT: resumable, deterministic on the CPU, on one device
                 or several
memory.py        Memory that is free, memory that a piece of work takes, and errors that say there is none left
merge.py         Merges an adapter into its base, and checks by their logits that both are the same model
prefix_attention.py  Attention of continuations to a prefix that they share, on the CPU: in two parts that no
                 mask is needed for
pretrain.py      Pretraining of a small student: full training on dialogues, each with the tools of its kind
recompute.py     Selective checkpointing: what is kept for the backward pass, and what is computed again
rendering.py     Training renderings: a conversation as the token ids that serving will send, and the turns to learn
run_summary.py   What a training run was and who made its data, for `lineage.json` and the model's card
shared_prefix.py  The beginning that the examples of a batch share is computed once: how far it goes, attention,
                 where it holds
small_model.py   A small student from scratch: Qwen3's architecture, random weights, its own tokenizer
student_files.py  What the student's files decide about a training, in the guarded child process
templates.py     Chat templates for training: a tokenizer's own, TRL's variant of it, one day, and no thinking
                 unless asked
trainer.py       TRL's trainer with our batches, loss and log, and checkpoints that survive a kill. Importing it is
                 slow
varlen_attention.py  Attention on CUDA to what a batch shares: PyTorch's kernel for sequences of different lengths
"""
