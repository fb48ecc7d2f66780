"""``python save_model.py FILE.joblib FOLDER``: write the folder that ``mlflow models serve`` reads."""

import sys

import joblib
import mlflow.sklearn

# MLflow does not store pickles, and its format needs the class of the trees on its list of trusted types.
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], skops_trusted_types=["sklearn.tree._tree.Tree"])
