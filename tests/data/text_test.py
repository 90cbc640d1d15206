"""Tests of texts: words and their numbers, files, Python's documentation."""

import numpy as np
import pytest

from nasjax.data import text


def _words(corpus, part):
  return [corpus.vocabulary[i] for i in getattr(corpus, part)]


def test_rare_words_become_unknown_by_their_frequency_in_training():
  corpus = text.from_words(
    'b a a c b a d c'.split(), 'd d d a'.split(), 'c e'.split(), 3
  )
  assert corpus.vocabulary == ('<unk>', 'a', 'b')  # b and c are tied
  assert _words(corpus, 'train') == 'b a a <unk> b a <unk> <unk>'.split()
  assert _words(corpus, 'valid') == '<unk> <unk> <unk> a'.split()
  assert _words(corpus, 'test') == ['<unk>', '<unk>']
  assert corpus.train.dtype == np.int32


def test_without_a_size_all_words_of_all_parts_are_known():
  corpus = text.from_words(['b', 'a', 'b'], ['c'], ['<unk>', 'd'])
  assert sorted(corpus.vocabulary) == ['<unk>', 'a', 'b', 'c', 'd']
  assert _words(corpus, 'test') == ['<unk>', 'd']


def test_an_excerpt_is_the_beginning_of_every_part():
  whole = text.from_words('b a a c b a d c d d d d d'.split(), 'dc', 'ca')
  corpus = text.excerpt(whole, 8, vocabulary_size=3)
  assert _words(corpus, 'train') == 'b a a <unk> b a <unk> <unk>'.split()
  assert _words(corpus, 'valid') == ['<unk>']
  assert len(corpus.test) == 1 and len(corpus.vocabulary) == 3


def test_the_documentation_is_a_text_in_three_disjoint_parts():
  corpus = text.documentation(500)
  assert len(corpus.vocabulary) == 500
  sizes = [len(part) for part in corpus[:3]]
  assert sum(sizes) > 50_000
  np.testing.assert_allclose(
    np.array(sizes) / sum(sizes), [0.8, 0.1, 0.1], atol=1e-3
  )
  assert {'the', 'python', 'class', text.END} <= set(corpus.vocabulary)
  assert np.mean(corpus.train == 0) < 0.25

  def paragraphs(part):
    lines = ' '.join(_words(corpus, part)).split(text.END)
    return {line for line in lines if len(line.split()) > 25}

  train = paragraphs('train')
  assert len(train) > 500
  # No split holds a copy of another's (but for words that are unknown).
  for part in ('valid', 'test'):
    found = paragraphs(part)
    assert len(found & train) < 0.02 * len(found)


@pytest.mark.parametrize(
  'prefix, suffix', [('', '.txt'), ('ptb.', '.txt'), ('wiki.', '.tokens')]
)
def test_files_are_lines_of_words(tmp_path, prefix, suffix):
  contents = {'train': ' a b \n\n', 'valid': 'b\n', 'test': 'c a\n'}
  for name, content in contents.items():
    (tmp_path / f'{prefix}{name}{suffix}').write_text(content)
  corpus = text.read_text(tmp_path)
  assert _words(corpus, 'train') == ['a', 'b', '<eos>', '<eos>']
  assert _words(corpus, 'test') == ['c', 'a', '<eos>']
  assert len(corpus.vocabulary) == 4


def test_what_is_wrong_with_files_is_named(tmp_path, monkeypatch):
  (tmp_path / 'train.txt').write_text('a')
  with pytest.raises(
    ValueError, match=r"wiki.train.tokens.*got \['train.txt'\]"
  ):
    text.read_text(tmp_path)
  for name in ('train', 'valid', 'test'):
    (tmp_path / f'{name}.txt').write_bytes(b'\xff\xfe')
  with pytest.raises(ValueError, match='is not text'):
    text.read_text(tmp_path)
  monkeypatch.delenv('NASJAX_DATA_DIR', raising=False)
  with pytest.raises(ValueError, match='NASJAX_DATA_DIR is not set'):
    text.load_ptb()
  with pytest.raises(ValueError, match='Expected ptb.npz'):
    text.load_ptb(tmp_path)


def _compact(folder, **changes):
  content = {
    'train': np.array([0, 1], np.uint16),
    'valid': np.array([1], np.uint16),
    'test': np.array([1], np.uint16),
    'vocab': np.array(['a', 'b']),
  } | changes
  np.savez(
    folder / 'ptb.npz', **{k: v for k, v in content.items() if v is not None}
  )


def test_a_compact_file_is_checked(tmp_path):
  _compact(tmp_path)
  corpus = text.load_ptb(tmp_path)
  assert corpus.vocabulary == ('a', 'b')
  np.testing.assert_array_equal(corpus.train, [0, 1])
  for changes in (
    {'train': np.array([2], np.uint16)},
    {'valid': np.array([0.5])},
    {'test': np.zeros((0,), np.uint16)},
  ):
    _compact(tmp_path, **changes)
    with pytest.raises(ValueError, match='must be numbers of 2 words'):
      text.load_ptb(tmp_path)
  _compact(tmp_path, vocab=None)
  with pytest.raises(ValueError, match='Cannot read'):
    text.load_ptb(tmp_path)


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: text.from_words([], ['a'], ['a']), r"\['train'\]"),
    (lambda: text.from_words(['a'], ['a'], ['a'], 1), 'at least 2, got 1'),
    (lambda: text.documentation(10, (0.5, 0.5)), 'three positive shares'),
    (lambda: text.documentation(10, (0.5, 0.5, 0.5)), 'at most 1'),
  ],
)
def test_mistakes_are_named(build, message):
  with pytest.raises(ValueError, match=message):
    build()


@pytest.mark.data
def test_penn_treebank_has_its_canonical_counts(data_dir):
  corpus = text.load_ptb(data_dir)
  assert [len(part) for part in corpus[:3]] == [929_589, 73_760, 82_430]
  assert len(corpus.vocabulary) == 10_000
  end = corpus.vocabulary.index('<eos>')
  assert np.sum(corpus.train == end) == 42_068  # sentences
  assert len(np.unique(corpus.train)) == 10_000
