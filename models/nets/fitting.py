"""The Lightning part of a run: fit, checkpoints that survive any death, events."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.strategies import DDPStrategy

from models.backbones import RECIPE
from models.data.stream import CropModule, PlainStream, steps_per_epoch
from models.events import Emit, Progress, Refused
from models.module import FrameModule

SUFFIX = ".ckpt"
KEPT = 2
PRECISIONS: dict[str, Any] = {"float32": "32-true", "bf16": "bf16-mixed"}
FEWEST = 2
"""Frames of a step that each device must have: batch norms need more than one."""


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the highest step in a folder, None where there is none."""
    found = sorted(folder.glob(f"step-*{SUFFIX}")) if folder.is_dir() else []
    return found[-1] if found else None


def write_checkpoint(trainer: pl.Trainer, folder: Path) -> Path:
    """Save the trainer under its final name only once it is on the disk, and drop old ones.

    All processes of a run have to call it; the first one writes.
    """
    path = folder / f"step-{trainer.global_step:08d}{SUFFIX}"
    unfinished = folder / f".{path.name}.{os.getpid()}"
    if trainer.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(unfinished)
    if not trainer.is_global_zero:
        return path
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    for old in sorted(folder.glob(f"step-*{SUFFIX}"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


class Reporting(pl.Callback):
    """Checkpoints every N steps, validation at the end of each of our epochs, events for both."""

    def __init__(self, data: CropModule, folder: Path, progress: Progress, emit: Emit) -> None:
        self.data, self.folder, self.progress, self.emit = data, folder, progress, emit
        self.per_epoch = steps_per_epoch(len(data.train), data.fit)
        self.threads = torch.get_num_threads()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As many threads as before: Lightning deals out all cores among the processes."""
        torch.set_num_threads(self.threads)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell, validate and save, keyed by the step so that a resumed run does the same."""
        step, total = trainer.global_step, self.data.total_steps
        epoch = step // self.per_epoch
        self.progress.tell(
            step / total, f"Epoch {min(epoch + 1, self.data.fit.epochs)} of {self.data.fit.epochs}."
        )
        if step % self.per_epoch == 0:
            loss = trainer.strategy.reduce(outputs["loss"].detach().clone(), reduce_op="mean")
            if trainer.is_global_zero:
                metrics = {"train_loss": float(loss), "epoch": float(epoch)}
                metrics |= validate(pl_module, self.data)
                self.emit({"event": "metrics", "step": step, "metrics": metrics})
        if step == total:
            write_checkpoint(trainer, self.folder)
        elif step % self.data.fit.checkpoint_every == 0:
            path = write_checkpoint(trainer, self.folder)
            self.emit({"event": "checkpoint", "path": str(path), "step": step})


def validate(module: pl.LightningModule, data: CropModule) -> dict[str, float]:
    """Mean losses over the validation crops; draws no random number and leaves training mode on."""
    if not len(data.validation) or not isinstance(module, FrameModule):
        return {}
    sums: dict[str, float] = {}
    stream = PlainStream(data.validation, 4 * data.fit.batch)
    module.eval()
    with torch.no_grad():
        for batch in stream:
            moved = type(batch)(*(part.to(module.device) for part in batch))
            for name, value in module.losses(moved).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(batch.crops)
    module.train()
    return {f"validation_{name}": value / len(data.validation) for name, value in sums.items()}


def fit(
    module: FrameModule,
    data: CropModule,
    folder: Path,
    resume: Path | None,
    progress: Progress,
    emit: Emit,
) -> None:
    """Train to the last step, from the newest checkpoint of `folder` or `resume` if there is one.

    A folder of finished training has a checkpoint of the last step, from which nothing is left to
    do. The network is on the CPU and in evaluation mode afterwards. Raises Refused where there are
    too few frames for the devices, or not so many devices.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # The ten bits of TensorFloat-32 are no float32.
    torch.backends.cudnn.allow_tf32 = False
    trainer = _trainer(module, data, folder, Reporting(data, folder, progress, emit))
    start = newest_checkpoint(folder) or (newest_checkpoint(resume) if resume else None)
    with warnings.catch_warnings():
        # Lightning suggests loader workers and its own checkpoints; both are decided here.
        warnings.simplefilter("ignore")
        module.train()
        trainer.fit(module, data, ckpt_path=start, weights_only=True)
    trainer.strategy.barrier("fitted")
    module.cpu()
    module.eval()
    if trainer.is_global_zero:
        # Resuming elsewhere from the last step leaves nothing to do and hence no folder yet.
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "finished.json").write_text(json.dumps({"steps": trainer.global_step}))
    if data.fit.processes > 1:
        torch.distributed.destroy_process_group()


def _trainer(
    module: FrameModule, data: CropModule, folder: Path, reporting: Reporting
) -> pl.Trainer:
    fit = data.fit
    if min(fit.batch, len(data.train)) < FEWEST * fit.processes:
        raise Refused(
            f"A step has {min(fit.batch, len(data.train))} frames, too few for {fit.processes} "
            "devices; take fewer devices (fit.devices) or more frames per step (fit.batch)."
        )
    strategy: Any = "auto"
    if fit.processes > 1:
        # Models from elsewhere have parts that the feature map does not need.
        strategy = DDPStrategy(find_unused_parameters=module.config.net.recipe == RECIPE)
    try:
        return pl.Trainer(
            accelerator=fit.accelerator,
            devices=fit.devices,
            num_nodes=fit.nodes,
            strategy=strategy,
            precision=PRECISIONS[fit.precision],
            max_steps=data.total_steps,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            deterministic=True,
            use_distributed_sampler=False,
            default_root_dir=folder,
            callbacks=[reporting],
        )
    except MisconfigurationException as error:
        raise Refused(
            f"This machine has not {fit.devices} devices of the kind “{fit.accelerator}”: {error}"
        ) from error


def step_of(checkpoint: Path) -> int:
    """The step a checkpoint's name states."""
    return int(checkpoint.name.removeprefix("step-").removesuffix(SUFFIX))
