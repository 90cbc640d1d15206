"""Texts as numbers of words: Python's own documentation, and the user's files.

A split has a purpose and keeps to it: 'train' and 'valid' steer a search,
'test' is only reported.

`documentation` reads `pydoc_data.topics`, the parts of the language reference
that `help()` shows: nothing to download. Its text is that of the Python that
runs; topics quote each other, and a paragraph that came before is left out, so
no split holds a copy of another's.

Penn Treebank (as prepared by T. Mikolov) is licensed and WikiText-2 large:
their files are the user's, see `read_text` and `load_ptb`.
"""

import collections
from collections.abc import Sequence
import os
import pathlib
import re
from typing import NamedTuple
import zipfile

import numpy as np

END = '<eos>'  # of a line or paragraph
UNKNOWN = '<unk>'
PTB_FILE = 'ptb.npz'
_SPLITS = ('train', 'valid', 'test')
_LAYOUTS = (  # of the copies that are around
  ('train.txt', 'valid.txt', 'test.txt'),
  ('ptb.train.txt', 'ptb.valid.txt', 'ptb.test.txt'),
  ('wiki.train.tokens', 'wiki.valid.tokens', 'wiki.test.tokens'),
)
# A word, or a run of one sign, such as a line under a heading.
_WORD = re.compile(r'\w+|([^\w\s])\1*')


class Corpus(NamedTuple):
  """A text in three parts."""

  train: np.ndarray  # i32[N] numbers of words
  valid: np.ndarray
  test: np.ndarray
  vocabulary: tuple[str, ...]  # the words


def _count_words(words):
  """Return distinct words, the most frequent first, ties in their own order."""
  counts = collections.Counter(words)
  return sorted(counts, key=lambda word: (-counts[word], word))


def from_words(
  train: Sequence[str],
  valid: Sequence[str],
  test: Sequence[str],
  vocabulary_size: int | None = None,
) -> Corpus:
  """Number the words of a text.

  Args:
    train: words of the first part.
    valid: words of the second.
    test: words of the third.
    vocabulary_size: the vocabulary is `<unk>` and so many words less one, the
      most frequent of `train`; other words become `<unk>`. None for all words
      of all parts.

  Returns:
    The text; the first words of the vocabulary are the most frequent.

  Raises:
    ValueError: if a part is empty or the vocabulary has fewer than two words.
  """
  parts = dict(zip(_SPLITS, (train, valid, test)))
  empty = [name for name, words in parts.items() if len(words) == 0]
  if empty:
    raise ValueError(f'No part of a text may be empty, got no word of {empty}.')
  if vocabulary_size is None:
    vocabulary = _count_words([*train, *valid, *test])
  elif vocabulary_size < 2:
    raise ValueError(
      f'vocabulary_size must be at least 2, got {vocabulary_size}.'
    )
  else:
    known = [word for word in _count_words(train) if word != UNKNOWN]
    vocabulary = [UNKNOWN, *known[: vocabulary_size - 1]]
  number = {word: i for i, word in enumerate(vocabulary)}
  numbered = {
    name: np.array([number.get(word, 0) for word in words], np.int32)
    for name, words in parts.items()
  }
  return Corpus(**numbered, vocabulary=tuple(vocabulary))


def documentation(
  vocabulary_size: int = 2000,
  sizes: Sequence[float] = (0.8, 0.1, 0.1),
) -> Corpus:
  """Return Python's documentation of its language, split by position.

  Words are in lower case; signs are words; a paragraph ends with `<eos>`.

  Args:
    vocabulary_size: as in `from_words`.
    sizes: share of the words in each part, in order.

  Returns:
    The text, about eighty thousand words, that of the running Python.

  Raises:
    ValueError: as `from_words`, or if the shares are no shares.
  """
  if len(sizes) != 3 or min(sizes) <= 0 or sum(sizes) > 1 + 1e-6:
    raise ValueError(
      f'sizes must be three positive shares of at most 1, got {tuple(sizes)}.'
    )
  from pydoc_data import topics  # half a megabyte: only those who ask load it

  text = '\n\n'.join(topics.topics[name] for name in sorted(topics.topics))
  paragraphs = dict.fromkeys(
    ' '.join(match[0] for match in _WORD.finditer(paragraph.lower()))
    for paragraph in re.split(r'\n\s*\n', text)
  )
  words = [word for p in paragraphs if p for word in (*p.split(), END)]
  ends = np.rint(np.cumsum(sizes) * len(words)).astype(int)
  starts = (0, *ends[:2])
  return from_words(
    *(words[a:b] for a, b in zip(starts, ends)), vocabulary_size
  )


def read_text(
  folder: str | os.PathLike[str], vocabulary_size: int | None = None
) -> Corpus:
  """Read a text of which each line is words and spaces, as PTB and WikiText-2.

  Args:
    folder: of three files: `train.txt`, `valid.txt` and `test.txt`, or
      `ptb.train.txt` and so on, or `wiki.train.tokens` and so on.
    vocabulary_size: as in `from_words`; by default all words: 10,000 of Penn
      Treebank, 33,278 of WikiText-2.

  Returns:
    The text; every line ends with `<eos>`.

  Raises:
    ValueError: if the files are not there, or not text.
  """
  folder = pathlib.Path(folder)
  for names in _LAYOUTS:
    paths = [folder / name for name in names]
    if all(path.is_file() for path in paths):
      break
  else:
    layouts = ', or '.join(', '.join(names) for names in _LAYOUTS)
    raise ValueError(
      f'Expected the files {layouts} in {folder}, got '
      f'{sorted(p.name for p in folder.glob("*")) or "no file"}.'
    )
  try:
    texts = [path.read_text(encoding='utf-8') for path in paths]
  except UnicodeDecodeError as error:
    raise ValueError(f'A file in {folder} is not text: {error}') from error
  parts = (
    [word for line in text.splitlines() for word in (*line.split(), END)]
    for text in texts
  )
  return from_words(*parts, vocabulary_size)


def excerpt(
  corpus: Corpus, num_words: int, vocabulary_size: int | None = None
) -> Corpus:
  """Return the beginning of a text, to search in minutes.

  Args:
    corpus: the text.
    num_words: of its training part; the other parts have an eighth of that.
    vocabulary_size: as in `from_words`.

  Returns:
    The text, its words numbered anew.

  Raises:
    ValueError: as `from_words`.
  """
  sizes = (num_words, num_words // 8, num_words // 8)
  parts = (
    [corpus.vocabulary[i] for i in part[:size]]
    for part, size in zip(corpus[:3], sizes)
  )
  return from_words(*parts, vocabulary_size)


def load_ptb(data_dir: str | os.PathLike[str] | None = None) -> Corpus:
  """Return Penn Treebank from a compact file, words numbered as there.

  Args:
    data_dir: folder of `ptb.npz`, by default `$NASJAX_DATA_DIR`. The file holds
      `train`, `valid` and `test`, `u16[N]`, and `vocab`, the words. From the
      text files, `read_text` makes the same up to the numbering.

  Returns:
    The text: 929,589, 73,760 and 82,430 words, of which 10,000 are distinct.

  Raises:
    ValueError: if the file is absent or is not what it should be.
  """
  folder = data_dir or os.environ.get('NASJAX_DATA_DIR')
  path = pathlib.Path(folder or '', PTB_FILE)
  if not folder or not path.is_file():
    raise ValueError(
      f'Expected {PTB_FILE} in data_dir or $NASJAX_DATA_DIR, got '
      f'{folder or "no folder: $NASJAX_DATA_DIR is not set"}. The text files '
      'of Penn Treebank are read by data.text.read_text(folder).'
    )
  try:
    with np.load(path, allow_pickle=False) as file:
      parts = {name: file[name] for name in (*_SPLITS, 'vocab')}
  except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
    raise ValueError(f'Cannot read the words of {path}: {error}') from error
  vocabulary = tuple(map(str, parts.pop('vocab')))
  for name, words in parts.items():
    fits = words.ndim == 1 and np.issubdtype(words.dtype, np.unsignedinteger)
    if not fits or words.size == 0 or words.max() >= len(vocabulary):
      raise ValueError(
        f'{name} in {path} must be numbers of {len(vocabulary)} words, got '
        f'{words.dtype} of shape {words.shape}.'
      )
  return Corpus(
    **{name: words.astype(np.int32) for name, words in parts.items()},
    vocabulary=vocabulary,
  )
