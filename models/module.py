"""The LightningModule of the frame network: losses, optimiser, random states in checkpoints."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional

from models import zoo
from models.config import RunConfig
from models.data.stream import Batch
from models.nets.frame import FrameOutputs
from models.scale import Scale

FEWEST_STEPS = 6
"""With fewer the rise of the learning rate would have no step."""
APART = 1_000_003
"""Between the seeds of the processes of a run."""


def ordinal_loss(logits: Tensor, above: Tensor, share: Tensor) -> Tensor:
    """CORN on the raters' distribution: the mean conditional cross-entropy of every threshold.

    `logits` and `above` (n, units, steps), NaN in `above` where unknown. Threshold k counts a frame
    with the weight P(y > k - 1) and the target P(y > k) / P(y > k - 1): the expectation over the
    raters of the loss of Shi, Cao and Raschka 2023. `share` (units, steps) is the mean weight of
    the threshold over the training frames; dividing by it lets the rare upper grades count as much
    as the common lower ones without bending the probabilities, as weighting the grades would.
    """
    known = torch.isfinite(above)
    upper = torch.nan_to_num(above)
    reached = torch.cat([torch.ones_like(upper[..., :1]), upper[..., :-1]], dim=-1)
    target = torch.where(reached > 1e-6, upper / reached.clamp(min=1e-6), torch.zeros_like(upper))
    entropy = functional.binary_cross_entropy_with_logits(
        logits, target.clamp(0, 1), reduction="none"
    )
    weight = torch.where(known, reached / share.clamp(min=1e-3), torch.zeros_like(reached))
    return (entropy * weight).sum() / known.sum().clamp(min=1)


def scorable_loss(logits: Tensor, scorable: Tensor) -> Tensor:
    """Cross-entropy of the probability that a unit can be scored, over known cells."""
    known = torch.isfinite(scorable)
    entropy = functional.binary_cross_entropy_with_logits(
        logits, torch.nan_to_num(scorable), reduction="none"
    )
    return (entropy * known).sum() / known.sum().clamp(min=1)


def state_loss(logits: Tensor, allowed: Tensor, rarity: Tensor) -> Tensor:
    """-log of the probability of the allowed states together, over frames whose votes say any.

    Each frame counts with the `rarity` (states,) of its commonest allowed state: mice are awake in
    most frames, and a network that always said so would be right too often to learn better.

    Raters who say “not scorable” without a reason allow several states; the loss asks only that one
    of them be likely.
    """
    known = allowed.sum(dim=1) > 0
    if not bool(known.any()):
        return logits.sum() * 0
    log_p = functional.log_softmax(logits[known], dim=1)
    surprise = -torch.logsumexp(log_p + (allowed[known] + 1e-9).log(), dim=1)
    weight = torch.where(allowed[known] > 0, rarity, torch.inf).amin(dim=1)
    return (surprise * weight).sum() / weight.sum()


def landmark_loss(found: Tensor, places: Tensor) -> Tensor:
    """Mean distance of landmarks (n, landmarks, 2) along each axis in crop sides; NaN: unknown."""
    known = torch.isfinite(places)
    away = (found - torch.nan_to_num(places)).abs()
    return (away * known).sum() / known.sum().clamp(min=1)


def state_rarity(allowed: Tensor) -> Tensor:
    """Weight (states,) of every state: 1 over the square root of its share of `allowed` (n, states)
    frames, at most 6 times that of the commonest."""
    share = (allowed > 0).float().mean(dim=0).clamp(min=1e-6)
    return (share.max() / share).sqrt().clamp(max=6.0)


class FrameModule(pl.LightningModule):
    """Fits the frame network."""

    def __init__(
        self,
        config: RunConfig,
        scale: Scale,
        share: Tensor,
        rarity: Tensor,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.total_steps = total_steps
        self.net = zoo.frame_net(config.net, config.crop, scale)
        # Convolutions on a CPU are a quarter faster with channels last.
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("share", share)
        self.register_buffer("rarity", rarity)
        if config.net.frozen:
            self.net.freeze()
        self._random: list[dict[str, Any]] | None = None

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of all heads and their weighted sum `loss`, float32 in any precision."""
        crops = batch.crops.contiguous(memory_format=torch.channels_last)
        faces = int(batch.familiar.sum())
        contrast, level = (part[:, None, None, None] for part in batch.light.unbind(1))
        even = self.net.evened(crops) * contrast + level
        familiar = self.net.familiar(even).float()
        some = self.net.grade(even[:faces], familiar[:faces])
        outputs = FrameOutputs(*(part.float() for part in some))
        fit = self.config.fit
        share: Tensor = self.share  # type: ignore[assignment]
        rarity: Tensor = self.rarity  # type: ignore[assignment]
        parts = {
            "grades": ordinal_loss(outputs.grades, batch.above[:faces], share),
            "scorable": scorable_loss(outputs.scorable, batch.scorable[:faces]),
            "states": state_loss(outputs.states, batch.states[:faces], rarity),
            "familiar": functional.binary_cross_entropy_with_logits(familiar, batch.familiar),
        }
        if batch.places.shape[1]:
            parts["landmarks"] = landmark_loss(outputs.places, batch.places)
        total = (
            parts["grades"]
            + fit.scorable_weight * parts["scorable"]
            + fit.state_weight * parts["states"]
            + fit.familiar_weight * parts["familiar"]
            + fit.landmark_weight * parts.get("landmarks", 0.0)
        )
        return {"loss": total, **parts}

    def training_step(self, batch: Batch, index: int) -> dict[str, Tensor]:
        """The losses of one batch."""
        return self.losses(batch)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the mean losses of the validation crops as `validation_…`."""
        for name, value in self.losses(batch).items():
            self.log(f"validation_{name}", value, batch_size=len(batch.crops))

    def configure_optimizers(self) -> Any:
        """AdamW with decay on matrices only, one cycle of the learning rate over the whole run."""
        fit = self.config.fit
        learning = [p for p in self.net.parameters() if p.requires_grad]
        decayed = [p for p in learning if p.dim() > 1]
        others = [p for p in learning if p.dim() <= 1]
        groups = [
            {"params": decayed, "weight_decay": fit.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=fit.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=fit.learning_rate,
            total_steps=max(self.total_steps + 1, FEWEST_STEPS),
            pct_start=0.2,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of every random generator of every process, in their order."""
        mine = random_state(self.device)
        states = [mine]
        if self._processes > 1:
            states = [mine] * self._processes
            torch.distributed.all_gather_object(states, mine)
        checkpoint["random"] = states

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the random states; they are set when the first step is about to be taken."""
        known = checkpoint.get("random")
        self._random = [known] if isinstance(known, dict) else known

    def on_train_start(self) -> None:
        """Set the random states of the checkpoint, after all set-up that draws numbers itself.

        Without a checkpoint processes after the first are set apart from it, so that they do not
        drop the same features out.
        """
        if self._random is not None:
            set_random_state(self._random[self._place % len(self._random)], self.device)
        elif self._place:
            torch.manual_seed(self.config.seed + APART * self._place)

    @property
    def _place(self) -> int:
        return self.global_rank if self._processes > 1 else 0

    @property
    def _processes(self) -> int:
        return int(self._trainer.world_size) if self._trainer is not None else 1


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of all random generators that a step may draw from."""
    version, keys, place = random.getstate()
    name, numpy_keys, *rest = np.random.get_state()
    state = {
        "torch": torch.get_rng_state(),
        "python": [version, list(keys), place],
        "numpy": [str(name), [int(key) for key in numpy_keys], *rest],
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Bring back what `random_state` said; that of a GPU only where this is one."""
    torch.set_rng_state(state["torch"])
    version, keys, place = state["python"]
    random.setstate((version, tuple(keys), place))
    name, numpy_keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(numpy_keys, np.uint32), *rest))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
