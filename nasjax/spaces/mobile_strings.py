"""Mobile networks as strings, one a stage, in the form of MnasNet's authors.

'r3_k5_s22_e6_i40_o80_se0.25' are three blocks with kernel 5, stride 2,
expansion 6 and squeeze-excite, from 40 to 80 channels; '_noskip' follows where
inputs are not added.
"""

from nasjax.spaces import mobile

_EXAMPLE = 'r3_k5_s22_e6_i40_o80_se0.25'


def from_strings(
  strings: tuple[str, ...],
  stem: int = 32,
  head: int = 1280,
  resolution: int = 224,
  activation: str = 'relu',
) -> mobile.Layout:
  """Return the layout of one network, as MnasNet's authors write it.

  Args:
    strings: of the stages.
    stem: channels of the first convolution.
    head: channels of the last one.
    resolution: of the images.
    activation: of all blocks.

  Returns:
    The layout, without decisions.

  Raises:
    ValueError: if a string is no stage, or the input of a stage is not the
      output of the one before.
  """
  stages, channels = [], stem
  for string in strings:
    parts = string.split('_')
    skip = 'none' if parts[-1] == 'noskip' else 'identity'
    # The name of a part is its letters: 'se' before 's' and 'e'.
    named = {
      part.rstrip('0123456789.'): part.lstrip('abcdefghijklmnopqrstuvwxyz')
      for part in parts
      if part != 'noskip'
    }
    if not {*'rkseio'} <= named.keys():
      raise ValueError(f'{string!r} is no stage like {_EXAMPLE!r}.')
    if int(named['i']) != channels:
      raise ValueError(f'{string!r} follows {channels} channels.')
    channels = int(named['o'])
    stages.append(
      mobile.Stage(
        (channels,),
        (int(named['r']),),
        (int(named['k']),),
        (int(named['e']),),
        (float(named.get('se', 0)),),
        int(named['s'][0]),
        activation,
        skips=(skip,),
      )
    )
  return mobile.Layout(
    (resolution,), (stem,), tuple(stages), (head,), activation=activation
  )


def to_strings(layout: mobile.Layout, arch: dict) -> tuple[str, ...]:
  """Return the strings of an architecture, one a stage or one a block.

  Args:
    layout: the layout; its operations are bottlenecks, its skips identities or
      none.
    arch: the architecture, index choices that are known.

  Returns:
    Strings as `from_strings` takes them. Blocks that decide for themselves have
    strings of their own.
  """
  found = mobile.options(layout)

  def value(name, place):
    return found[name][place][int(arch[name][place]) if name in arch else 0]

  strings, channels = [], value('width', 0)
  for s, stage in enumerate(layout.stages):
    depth, width = value('depth', s), value('width', 1 + s)
    repeats = 1 if layout.per_block else depth
    for b in range(depth if layout.per_block else 1):
      stride = stage.stride if b == 0 else 1
      kernel, expansion, squeeze, skip = (
        value(name, mobile.position(layout, name, s, b))
        for name in ('kernel', 'expansion', 'squeeze', 'skip')
      )
      strings.append(
        f'r{repeats}_k{kernel}_s{stride}{stride}_e{expansion}_i{channels}'
        f'_o{width}'
        + f'_se{squeeze}' * (squeeze > 0)
        + '_noskip' * (skip == 'none')
      )
      channels = width
  return tuple(strings)
