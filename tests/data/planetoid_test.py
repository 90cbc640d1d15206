"""Cora and CiteSeer, and the reader of NAS-Bench-Graph."""

import numpy as np
import pytest

from nasjax.data import nasbench_graph, planetoid


@pytest.mark.data
@pytest.mark.parametrize(
  'name, num_edges, per_class, homophily',
  [('cora', 5278, 20, 0.810), ('citeseer', 4552, 20, 0.736)],
)
def test_graphs_are_the_published_ones(name, num_edges, per_class, homophily):
  task = planetoid.load_planetoid(name)
  graph, target = task['train']['graph'], task['train']['target']
  num_nodes, num_features, num_classes = planetoid.SIZES[name]
  assert target.shape == (num_nodes, num_classes)
  assert len(graph.senders) == 2 * num_edges + num_nodes
  assert graph.columns.max() == num_features - 1
  sizes = [part['weight'].sum() for part in task.values()]
  assert sizes == [per_class * num_classes, 500, 1000]
  chosen = target[task['train']['weight'] > 0]
  np.testing.assert_array_equal(chosen.sum(0), per_class)
  rows = np.bincount(graph.nodes, graph.values, num_nodes)
  assert np.allclose(rows[rows > 0], 1)
  ends = target.argmax(1)[np.stack([graph.senders, graph.receivers])]
  others = graph.senders != graph.receivers
  labelled = target.sum(1) > 0
  others &= labelled[graph.senders] & labelled[graph.receivers]
  same = (ends[0] == ends[1])[others].mean()
  assert same == pytest.approx(homophily, abs=0.003)


def test_another_graph_is_refused():
  with pytest.raises(ValueError, match="'pubmed'. Known: cora, citeseer"):
    planetoid.load_planetoid('pubmed')


def test_absent_files_say_where_they_come_from(tmp_path):
  with pytest.raises(
    ValueError, match='convert --benchmark=planetoid.*kimiyoung'
  ):
    planetoid.load_planetoid('cora', tmp_path)
  with pytest.raises(ValueError, match='=nasbench_graph.*THUMNLab'):
    nasbench_graph.load_nasbench_graph(tmp_path)


def test_another_graph_by_the_name_of_cora_is_refused(tmp_path):
  np.savez(tmp_path / 'cora.npz', shape=np.array([3, 4]))
  with pytest.raises(ValueError, match=r'must be \(2708, 1433\), got \[3 4\]'):
    planetoid.load_planetoid('cora', tmp_path)


@pytest.mark.data
def test_the_columns_of_the_table_are_found_by_name():
  table = nasbench_graph.load_nasbench_graph()
  values = nasbench_graph.values(table, 'citeseer_valid')
  assert values.shape == (nasbench_graph.NUM_ROWS + 1,) and np.isnan(values[-1])
  assert np.nanmax(values) == pytest.approx(72.80, abs=0.01)
  with pytest.raises(ValueError, match="'citeseer'. Known: .*citeseer_test"):
    nasbench_graph.values(table, 'citeseer')
