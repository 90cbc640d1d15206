"""What pages about a run are made of: tables, plots, one file with all.

A page loads nothing: its images are part of it, and it has no script.
"""

import base64
from collections.abc import Mapping, Sequence
import html
import pathlib
from typing import Any

from matplotlib import figure

from nasjax.experiment import folder, plots, results

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--dim:#667085;--line:#dde1e7;
--page:#fafbfc;--card:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;
--line:#333b47;--page:#12161c;--card:#1a2028}}
body{margin:0 auto;padding:1.2rem;max-width:70rem;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p{color:var(--dim);margin:.2rem 0}
.figures{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
figure{margin:0;background:#fff;border:1px solid var(--line);
border-radius:.5rem;padding:.5rem}figcaption{color:#667085;font-size:.8rem}
img{display:block;max-width:100%;margin:auto}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.85rem;
font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;white-space:nowrap;
border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}th{color:var(--dim)}
tr:last-child td{border-bottom:0}
code{font-size:.8rem}
"""


def table(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
  """Return a table; cells are shown as in the terminal.

  Args:
    header: names of the columns.
    lines: cells.

  Returns:
    A part of a page.
  """

  def row(tag, cells):
    return (
      '<tr>'
      + ''.join(
        f'<{tag}>{html.escape(results.show(cell))}</{tag}>' for cell in cells
      )
      + '</tr>'
    )

  return (
    '<div class="scroll"><table>'
    + row('th', header)
    + ''.join(row('td', line) for line in lines)
    + '</table></div>'
  )


def plot(
  directory: pathlib.Path, name: str, caption: str, picture: figure.Figure
) -> str:
  """Store a plot in a folder and return it as part of a page.

  Args:
    directory: where the PNG goes.
    name: of the file, without its ending.
    caption: below the plot.
    picture: the plot.

  Returns:
    A part of a page.
  """
  data = plots.png(picture)
  (directory / f'{name}.png').write_bytes(data)
  text = base64.b64encode(data).decode()
  caption = html.escape(caption)
  return (
    f'<figure><img alt="{caption}" src="data:image/png;base64,{text}">'
    f'<figcaption>{caption}</figcaption></figure>'
  )


def heading(text: str) -> str:
  """Return the heading of a section."""
  return f'<h2>{html.escape(text)}</h2>'


def paragraph(text: str) -> str:
  """Return a paragraph."""
  return f'<p>{html.escape(text)}</p>'


def gallery(title: str, figures: Sequence[str]) -> str:
  """Return plots side by side below a heading; nothing without plots."""
  if not figures:
    return ''
  return f'{heading(title)}<div class="figures">{"".join(figures)}</div>'


def settings(config: Mapping[str, Any], versions: Mapping[str, Any]) -> str:
  """Return the tables of the config and the environment of a run.

  Args:
    config: nested dicts.
    versions: nested dicts.

  Returns:
    A part of a page.
  """

  def lines(tree):
    return [[key, str(value)] for key, value in folder.flatten(tree).items()]

  return (
    heading('Config')
    + table(('key', 'value'), lines(config))
    + heading('Environment')
    + table(('', ''), lines(versions))
  )


def write(
  path: pathlib.Path, title: str, summary: str, parts: Sequence[str]
) -> pathlib.Path:
  """Write a page.

  Args:
    path: of the file.
    title: above everything.
    summary: one line below it.
    parts: of the page.

  Returns:
    The path.
  """
  title = html.escape(title)
  path.write_text(
    ''.join(
      (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f'<title>{title}</title><style>{_STYLE}</style></head><body>',
        f'<h1>{title}</h1>{paragraph(summary)}',
        *parts,
        '</body></html>',
      )
    ),
    encoding='utf-8',
  )
  return path
