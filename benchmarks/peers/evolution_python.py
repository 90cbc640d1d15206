"""Regularised evolution on a table in plain Python, as benchmarks' scripts do.

Algorithm 1 of Real et al., 2019: a deque, a list of rows drawn with
replacement, one edge changed. It takes nothing but the standard library.
"""

import argparse
import collections
import random

from benchmarks import measure


def evolve(
  values: list[float],
  num_queries: int,
  population: int,
  tournament: int,
  seed: int,
) -> float:
  """Return the best value that a search has seen.

  Args:
    values: of every cell, by its number in base 5.
    num_queries: evaluations, duplicates counted.
    population: P.
    tournament: S.
    seed: of all draws.
  """
  draw = random.Random(seed)
  members = collections.deque()
  best = float('-inf')
  for query in range(num_queries):
    if query < population:
      cell = tuple(draw.randrange(5) for _ in range(6))
    else:
      sample = [draw.choice(members) for _ in range(tournament)]
      parent = max(sample, key=lambda member: member[1])[0]
      edge = draw.randrange(6)
      other = (parent[edge] + draw.randrange(1, 5)) % 5
      cell = (*parent[:edge], other, *parent[edge + 1 :])
    row = 0
    for op in cell:
      row = 5 * row + op
    value = values[row]
    best = max(best, value)
    members.append((cell, value))
    if len(members) > population:
      members.popleft()
  return best


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ('seeds', 'queries', 'population', 'tournament'):
    parser.add_argument(f'--{name}', type=int, required=True)
  options = parser.parse_args()
  draw = random.Random(0)
  values = [draw.random() for _ in range(5**6)]

  def step():
    for seed in range(options.seeds):
      evolve(
        values,
        options.queries,
        options.population,
        options.tournament,
        seed,
      )

  measure.serve(step)


if __name__ == '__main__':
  main()
