"""SimCLR in C, from Python: train, embed, predict and search images.

    model = simclr.load("runs/photos")
    features = model.embed(["a.jpg", pil_image, array])     # float32 [3, model.dim]
    model.predict(images, top=5)                            # by the classifier of finetune, supervised or evaluate
    index, similarity = simclr.neighbours(features, k=10)
    simclr.run("pretrain", data="photos/", out="runs/photos", progress=print)
    make_pipeline(simclr.Encoder("runs/photos"), LogisticRegression())

The functions call libsimclr.so; what it refuses is a simclr.Error with its sentence. docs/python.md has the rest."""
from ._library import Error, library_path, version
from ._model import Model, Prediction, load, neighbours
from ._run import Progress, run

__all__ = ["Encoder", "Error", "Model", "Prediction", "Progress", "library_path", "load", "neighbours", "run",
           "version"]
__version__ = version()


def __getattr__(name):
    """simclr.Encoder needs scikit-learn, which nothing else does: it is imported when it is asked for."""
    if name == "Encoder":
        from ._sklearn import Encoder
        return Encoder
    raise AttributeError(f"module 'simclr' has no attribute {name!r}")
