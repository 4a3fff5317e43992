"""Training: conversations to token-exact examples, LoRA with TRL and PEFT, merged weights.

checkpoints.py   Checkpoints of a training run: only whole ones count, and only those of the same run
config.py        The settings of a training run: published ones as defaults, unknown ones refused
data.py          Training data: conversations from a dataset's commit or a local file, and what is unusual about
                 them
data_credits.py  Who played which role in the making of training data: from the lineages of the stages behind it
examples.py      Training examples: token ids, and which of them carry loss
log.py           The log of a training run: one line a step, written as it happens
loop.py          Trains a student on examples with TRL and PEFT: resumable, deterministic on the CPU, on one device
                 or several
merge.py         Merges an adapter into its base, and checks by their logits that both are the same model
objective.py     Batches of examples with the weight of every token in the loss, and that loss
pretrain.py      A start for a small student: full training on dialogues, each shown with the tools that its kind
                 uses
quiet.py         Keeps the logs and bars of the training libraries off the terminal
rendering.py     Training renderings: a conversation as the token ids that serving will send, and the turns to learn
                 in it
run_summary.py   What a training run was, for `lineage.json` and the model's card
sampler.py       Which examples make which batch: an order that depends on the seed and the epoch only, shared by
                 all processes
small_model.py   A small student made on the spot: Qwen3's shape, random weights, its own tokenizer
student_files.py  What the student's files decide about a training, in the child that guards against them
templates.py     Chat templates for training: a tokenizer's own, TRL's variant of it, one day, and no thinking
                 unless asked
trainer.py       TRL's trainer with our batches, our objective, our log and checkpoints that survive a kill.
                 Importing it is slow
"""
