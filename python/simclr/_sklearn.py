"""An encoder as a transformer of scikit-learn."""
import numpy

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError as error:
    raise ImportError("simclr.Encoder is a transformer of scikit-learn, which is not installed: pip install "
                      "scikit-learn, or use simclr.load(path).embed(images)") from error

from ._model import load


class Encoder(TransformerMixin, BaseEstimator):
    """Images, as Model.embed takes them, to features. fit does nothing: the encoder is trained already.

    make_pipeline(simclr.Encoder("runs/photos"), LogisticRegression()).fit(paths, labels)"""

    def __init__(self, path, threads=0, batch_size=None):
        self.path, self.threads, self.batch_size = path, threads, batch_size

    def fit(self, X=None, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def _loaded(self):
        """The model, loaded when it is first needed, and again after set_params."""
        key = (self.path, self.threads)
        if getattr(self, "_key", None) != key:
            self._model, self._key = load(*key), key
        return self._model

    def transform(self, X):
        return self._loaded().embed(X, self.batch_size)

    def get_feature_names_out(self, input_features=None):
        return numpy.asarray([f"encoder{i}" for i in range(self._loaded().dim)], dtype=object)

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_model", None)
        state.pop("_key", None)
        return state
