"""Layouts of published spaces of mobile networks, for images of ImageNet.

Stages, strides, widths and options are those of the authors' programs or of
reimplementations; where one was inferred or recalled, the docstring says so.
"""

from nasjax.spaces import mobile
from nasjax.spaces.mobile import Layout, Stage

_RELU6 = 'relu6'


def bignas(per_block_kernels: bool = False) -> Layout:
  """Return the space of BigNAS, 5,013,504,000 networks.

  Args:
    per_block_kernels: whether blocks have kernels of their own, not stages:
      16,188,403,875,840 networks.

  Returns:
    The layout.

  Widths and depths are those of three reimplementations that agree, resolutions
  are second hand, and the ratio of squeeze-excite is what the published number
  of weights leaves room for.

  References:
    Yu et al., BigNAS: Scaling Up Neural Architecture Search with Big
    Single-Stage Models, 2020, https://arxiv.org/abs/2003.11142.
  """

  def stage(first, last, depths, kernels, stride, expansion=6):
    widths = tuple(range(first, last + 1, 8))
    depths = tuple(range(depths[0], depths[1] + 1))
    return Stage(widths, depths, kernels, (expansion,), (0.25,), stride)

  return Layout(
    resolutions=(192, 224, 288, 320),
    stem=(32, 40),
    stages=(
      stage(16, 24, (1, 2), (3,), 1, 1),
      stage(24, 32, (2, 3), (3,), 2),
      stage(40, 48, (2, 3), (3, 5), 2),
      stage(80, 88, (2, 4), (3, 5), 2),
      stage(112, 128, (2, 6), (3, 5), 1),
      stage(192, 216, (2, 6), (3, 5), 2),
      stage(320, 352, (1, 2), (3, 5), 1),
    ),
    head=tuple(range(1280, 1409, 8)),
    per_block=('kernel',) if per_block_kernels else (),
  )


def attentive_nas() -> Layout:
  """Return the space of AttentiveNAS, with the head of MobileNetV3.

  Returns:
    The layout.

  References:
    Wang et al., AttentiveNAS: Improving Neural Architecture Search via
    Attentive Sampling, 2021, https://arxiv.org/abs/2011.09011; options are
    those of the authors' program.
  """

  def stage(widths, depths, expansions, stride, excite=False):
    depths = tuple(range(depths[0], depths[1] + 1))
    squeezes = (0.25 if excite else 0.0,)
    return Stage(widths, depths, (3, 5), expansions, squeezes, stride)

  return Layout(
    resolutions=(192, 224, 256, 288),
    stem=(16, 24),
    stages=(
      stage((16, 24), (1, 2), (1,), 1),
      stage((24, 32), (3, 5), (4, 5, 6), 2),
      stage((32, 40), (3, 6), (4, 5, 6), 2, True),
      stage((64, 72), (3, 6), (4, 5, 6), 2),
      stage((112, 120, 128), (3, 8), (4, 5, 6), 1, True),
      stage((192, 200, 208, 216), (3, 8), (6,), 2, True),
      stage((216, 224), (1, 2), (6,), 1, True),
    ),
    head=(1792, 1984),
    head_expansion=6,
    squeeze_of='hidden',
    divisor=8,
  )


def once_for_all() -> Layout:
  """Return the space of Once-for-All: kernels and expansions of every block.

  The authors train resolutions from 128 to 224 in steps of 4; here are those in
  steps of 32.

  Returns:
    The layout.

  References:
    Cai et al., Once-for-All: Train One Network and Specialize It for Efficient
    Deployment, 2020, https://arxiv.org/abs/1908.09791.
  """

  def stage(width, stride, activation, excite):
    squeezes = (0.25 if excite else 0.0,)
    sizes = (2, 3, 4), (3, 5, 7), (3, 4, 6)
    return Stage((width,), *sizes, squeezes, stride, activation)

  return Layout(
    resolutions=(128, 160, 192, 224),
    stem=(16,),
    stages=(
      Stage((16,), (1,), (3,), (1,), activation='relu'),
      stage(24, 2, 'relu', False),
      stage(40, 2, 'relu', True),
      stage(80, 2, 'hard_swish', False),
      stage(112, 1, 'hard_swish', True),
      stage(160, 2, 'hard_swish', True),
    ),
    head=(1280,),
    activation='hard_swish',
    head_expansion=6,
    squeeze_of='hidden',
    divisor=8,
    per_block=('kernel', 'expansion'),
  )


def proxyless_nas() -> Layout:
  """Return the space of ProxylessNAS: six bottlenecks or none for every block.

  Of the blocks of a stage those that are none come last: the networks are the
  same as where any but the first may be none.

  Returns:
    The layout.

  References:
    Cai, Zhu, Han, ProxylessNAS: Direct Neural Architecture Search on Target
    Task and Hardware, 2019, https://arxiv.org/abs/1812.00332.
  """

  def stage(width, stride, depths=(1, 2, 3, 4)):
    kernels, expansions = (3, 5, 7), (3, 6)
    return Stage(
      (width,), depths, kernels, expansions, stride=stride, activation=_RELU6
    )

  return Layout(
    resolutions=(224,),
    stem=(32,),
    stages=(
      Stage((16,), (1,), (3,), (1,), activation=_RELU6),
      stage(24, 2),
      stage(40, 2),
      stage(80, 2),
      stage(96, 1),
      stage(192, 2),
      stage(320, 1, (1,)),
    ),
    head=(1280,),
    activation=_RELU6,
    per_block=('kernel', 'expansion'),
  )


def mnasnet() -> Layout:
  """Return the factorised hierarchy of MnasNet around MobileNetV2.

  Every stage repeats one block: its operation, kernel, squeeze-excite, skip,
  channels (three quarters to five quarters) and number: recalled, and as in
  NNI's version. The expansions are those of the networks that were released.

  Returns:
    The layout.

  References:
    Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile,
    2019, https://arxiv.org/abs/1807.11626.
  """

  def stage(width, depth, stride):
    return Stage(
      tuple(width * quarters // 4 for quarters in (3, 4, 5)),
      tuple(d for d in (depth - 1, depth, depth + 1) if d > 0),
      (3, 5),
      (3, 6),
      (0.0, 0.25),
      stride,
      'relu',
      mobile.OPERATIONS,
      mobile.SKIPS,
    )

  sizes = (
    (16, 1, 1),
    (24, 2, 2),
    (32, 3, 2),
    (64, 4, 2),
    (96, 3, 1),
    (160, 3, 2),
    (320, 1, 1),
  )
  return Layout(
    resolutions=(224,),
    stem=(32,),
    stages=tuple(stage(*size) for size in sizes),
    head=(1280,),
    activation='relu',
  )
