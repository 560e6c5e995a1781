"""What a careless user asks of the methods: each time exit code 2, one sentence, and nothing left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.test_bad_input import refused
from tests.programs import CommandLine, InProcess
from tests.unit.pictures import photograph

RENDER = ("render", "a.png", "s.png", "-o", "out.png")
TWO = ("render", "a.png", "s.png", "t.png", "-o", "out.png")

LAYERS = [
    ("--style-layers relu4_9", "style_layers = ['relu4_9']: no layer 'relu4_9': did you mean 'relu4_"),
    ("--content-layers conv3", "content_layers = ['conv3']: no layer 'conv3': did you mean 'conv"),
    ("--style-layers relu1_1,relu1_1", "a layer is named twice"),
    ("--features vgg16 --content-layers relu4_4", "VGG-16 has no layer 'relu4_4': did you mean 'relu4_"),
    ("--style-layer-weights 1,2", "style_layer_weights has 2 weights for 5 style layers: give one for each"),
    ("--style-layer-weights 0,0,0,0,0", "the style_layer_weights are all 0, but style_weight is not"),
]

# Too small is too small at any scale, and of any picture: content, style, and style brought to another size.
DEPTHS = [
    ("--size 20", "a.png is 15 px on its short side at size = 20, too small for relu5_1: at least 16 px are needed"),
    ("--size 48 --min-size 20 --scale-factor 2.4", "a.png is 15 px on its short side at size = 20, too small for"),
    ("--size 48 --preset multiscale --min-size 17", "a.png is 13 px on its short side at size = 17, too small for"),
    ("--size 48 --style-scale 0.25", "s.png is 9 px on its short side at size = 48, too small for relu5_1"),
    ("--size 20 --preset tensorflow --style-layers relu1_1 --style-layer-weights 1", "too small for relu5_2"),
]

MASKS = [
    ("--content-masks square.png", "the mask square.png is 20 x 20, and a.png, which it belongs to, is 48 x 36"),
    ("--style-masks square.png", "the mask square.png is 20 x 20, and s.png, which it belongs to, is 48 x 36"),
    ("--content-masks black.png", "the mask black.png is all black, so nothing of a.png counts: make it white"),
    ("--style-masks black.png", "the mask black.png is all black, so nothing of s.png counts"),
    ("--content-masks missing.png", "missing.png does not exist: check the path"),
    ("--style-masks text.png", "text.png is not a picture that can be read here"),
    ("--content-masks white.png,white.png", "content_masks has 2 masks for 1 style: name a style for the mask"),
    ("--style-masks white.png,white.png", "style_masks has 2 masks for 1 style"),
    ("--style-masks white.png,", "style_masks (2) = '': must not be empty"),
]

CONTRADICTIONS = [
    ("--preset pytorch --style-loss sliced", "style_normalization = pytorch of the preset pytorch is one of Gram"),
    ("--style-normalization mxnet --style-loss gram=1,wasserstein=1", "and style_loss is wasserstein: give"),
    (
        "--preset gatys --style-layers relu1_1,relu2_1",
        "style_layer_weights (perhaps those of the preset gatys) has 5 weights for 2 style layers: give one for each",
    ),
    ("-o out.jpg --bits 16", "format = jpeg holds 8 bits a channel: take png or tiff for bits = 16"),
    ("--first-iterations 9", "first_iterations are those of the coarsest scale: give min_size too"),
    ("--optimizer sgd", "optimizer = sgd has no step length that suits every loss: give learning_rate"),
    # Another optimizer's step length is none of the preset's.
    ("--preset multiscale --optimizer sgd", "give learning_rate"),
    ("--preset neural-style --content-weight 0 --style-weight 0", "content_weight and style_weight are both 0"),
]

STARTS = [
    ("--init image", "init = image and init_image belong together: give both or neither"),
    ("--init-image b.png", "init = image and init_image belong together"),
    ("--init image --init-image missing.png", "missing.png does not exist"),
    ("--init image --init-image text.png", "text.png is not a picture that can be read here"),
    ("--noise-range 1,0", "noise_range = (1.0, 0.0): its first number must be less than its second"),
    ("--noise-range 1,1", "its first number must be less than its second"),
    ("--noise-range 1", "noise_range = [1]: must be 2 numbers"),
    ("--noise-range 0,1,2", "noise_range = [0, 1, 2]: must be 2 numbers"),
    ("--noise-range nan,1", "noise_range (1) = nan: must be a finite number"),
    ("--noise-ratio 1.5", "noise_ratio = 1.5: must be less than or equal to 1"),
]

NUMBERS = [
    ("--style-loss gramm", "no style loss 'gramm': did you mean 'gram'?"),
    ("--style-loss gram=one", "style_loss = 'gram=one': must be names with weights, as in gram=1,sliced=0.5"),
    ("--style-loss gram=0,sliced=0", "no style loss counts: give at least one a weight"),
    ("--style-loss gram=-1", "style_loss (gram) = -1.0: must be greater than or equal to 0"),
    ("--style-loss gram=nan", "style_loss (gram) = nan: must be a finite number"),
    ("--iterations 99999999999999999999999999", "must be less than or equal to 100000"),
    ("--iterations 1.5", "iterations = 1.5: must be a valid integer"),
    ("--iterations ten", "iterations = 'ten': must be a valid integer"),
    ("--first-iterations 0 --min-size 32", "first_iterations = 0: must be greater than or equal to 1"),
    ("--size 99999", "size = 99999: must be less than or equal to 16384"),
    ("--min-size 8", "min_size = 8: must be greater than or equal to 16"),
    ("--scale-factor 1", "scale_factor = 1: must be greater than or equal to 1.05"),
    ("--style-weight 1e400", "style_weight = inf: must be a finite number"),
    ("--tv-weight nan", "tv_weight = nan: must be a finite number"),
    ("--style-scale 0", "style_scale = 0: must be greater than or equal to 0.05"),
    ("--average 1", "average = 1: must be less than 1"),
    ("--stop-change 2", "stop_change = 2: must be less than 1"),
    ("--learning-rate 0", "learning_rate = 0: must be greater than 0"),
    ("--learning-rate fast", "learning_rate = 'fast'"),
    ("--gradient-clip 0", "gradient_clip = 0: must be greater than 0"),
    ("--denoise lots", "denoise = 'lots': must be a valid number"),
    ("--input-mean 1,2", "input_mean = [1, 2]: must be 3 numbers"),
    ("--input-deviation 1,0,1", "input_deviation (2) = 0: must be greater than 0"),
    ("--projections 0", "projections = 0: must be greater than or equal to 1"),
    ("--quality 101", "quality = 101: must be less than or equal to 100"),
    ("--bits 12", "bits = 12: must be 8 or 16"),
    ("--color lumi", "'lumi' is not one of 'style', 'recolor', 'luminance', 'match'"),
    ("--clamp maybe", "'maybe' is not a valid boolean"),
    ("--format bmp", "'bmp' is not one of 'png', 'jpeg', 'webp', 'avif', 'tiff'"),
]

WEIGHTS = [
    ("--style-weights 1", "style_weights has 1 weight for 2 styles: give one for each"),
    ("--style-weights 1,2,3", "style_weights has 3 weights for 2 styles: give one for each"),
    ("--style-weights 0,0", "the style_weights have the sum 0, and cannot be shares of it: give at least one more"),
    ("--style-weights 1,-1", "style_weights (2) = -1: must be greater than or equal to 0"),
    ("--style-weights 1,heavy", "style_weights (2) = 'heavy': must be a valid number"),
    ("--style-weights 1,nan", "style_weights (2) = nan: must be a finite number"),
    ("--style-weights 1,1e13", "must be less than or equal to 1000000000000"),
    ("--content-masks white.png", "content_masks has 1 mask for 2 styles: give one for each, white for all of it"),
]

# The content alone, with nothing to take a manner from.
LONELY = ["", "--preset gatys", "--preset reconstruct-style", "--style-weight 0 --init style"]


@pytest.fixture
def folder(pictures: Path) -> Path:
    """The folder of the good pictures, with masks and bad pictures in it too."""
    for name, size, level in (("white", (48, 36), 255), ("black", (48, 36), 0), ("square", (20, 20), 255)):
        Image.new("L", size, level).save(pictures / f"{name}.png")
    (pictures / "text.png").write_text("a letter, not a picture")
    photograph(200, 30).save(pictures / "thin.png")
    return pictures


@pytest.fixture
def inside(folder: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program without a process of its own, in that folder."""
    return InProcess.of(CommandLine(folder, {"STYLEFARM_THREADS": "1"}), request)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [*LAYERS, *DEPTHS, *MASKS, *CONTRADICTIONS, *STARTS, *NUMBERS],
    ids=lambda text: text if text.startswith("-") else "",
)
def test_a_bad_parameter_is_refused(inside: InProcess, folder: Path, options: str, sentence: str) -> None:
    """Given a parameter that cannot be, or not with the others, I expect to be told which, and why."""
    given = options.split()
    # One short step, should it be rendered after all. An option that is given twice would be told, too.
    usual = {"-o": "out.png", "--iterations": "1"}
    rest = [word for option, value in usual.items() if option not in given for word in (option, value)]
    assert sentence in refused(inside, folder, 2, (*RENDER[:-2], *rest, *given))


@pytest.mark.parametrize(("options", "sentence"), WEIGHTS, ids=[options for options, _ in WEIGHTS])
def test_bad_shares_of_two_styles_are_refused(inside: InProcess, folder: Path, options: str, sentence: str) -> None:
    """Given two styles, if their weights or masks do not fit them, I expect to be told how many there are."""
    assert sentence in refused(inside, folder, 2, (*TWO, *options.split()))


@pytest.mark.parametrize("options", LONELY)
def test_a_missing_style_is_missed(inside: InProcess, folder: Path, options: str) -> None:
    """Given no style where one is needed, I expect to be told to name one."""
    sentence = refused(inside, folder, 2, ("render", "a.png", "-o", "out.png", *options.split()))
    assert re.search(r"style is missing: name a picture|init = style needs a style: name one", sentence)


def test_a_thin_content_is_too_small_at_its_coarsest_scale(inside: InProcess, folder: Path) -> None:
    """Given a panorama, if its finest scale is deep enough and its coarsest is not, I expect the coarsest named."""
    options = ("--size", "160", "--min-size", "80", "--iterations", "1")
    sentence = refused(inside, folder, 2, ("render", "thin.png", "s.png", "-o", "out.png", *options))
    assert sentence.startswith("thin.png is 12 px on its short side at size = 80, too small for relu5_1: at least 16")


def test_the_program_itself_refuses_it(folder: Path, tmp_path: Path) -> None:
    """Given a layer that does not exist, if the program is run as its user runs it, I expect the same."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    program = CommandLine(folder, home)
    options, sentence = LAYERS[0]
    assert refused(program, folder, 2, (*RENDER, *options.split())).startswith(sentence)


@pytest.mark.parametrize(
    ("base", "matrix", "sentence"),
    [
        (
            "preset: gatys",
            "style_layers: [[relu1_1]]",
            "style_layer_weights (perhaps those of the preset gatys) has 5 weights",
        ),
        ("preset: pytorch", "style_loss: [gram, sliced]", "style_normalization = pytorch of the preset pytorch"),
        ("size: 48", "style_loss: [{gram: 1, slice: 0.5}]", "no style loss 'slice': did you mean 'sliced'?"),
        ("size: 48, min_size: 20", "scale_factor: [1.2, 2.4]", "too small for relu5_1"),
        ("size: 48", "content_masks: [white.png, square.png]", "the mask square.png is 20 x 20, and a.png"),
        ("size: 48", "bits: [8, 12]", "bits = 12: must be 8 or 16"),
        ("style_weights: [1, 2]", "seed: [1]", "style_weights has 2 weights for 1 style: give one for each"),
        ("init: image", "init_image: [b.png, missing.png]", "missing.png does not exist"),
    ],
)
def test_one_bad_cell_keeps_a_sweep_out(inside: InProcess, folder: Path, base: str, matrix: str, sentence: str) -> None:
    """Given a sweep over methods with one cell that cannot be, I expect that none of its jobs is stored."""
    (folder / "sweep.yaml").write_text(f"base: {{content: a.png, style: s.png, {base}}}\nmatrix: {{{matrix}}}\n")
    assert sentence in refused(inside, folder, 2, ("sweep", "create", "sweep.yaml"))
