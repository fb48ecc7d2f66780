"""``python save_model.py FILE.joblib FOLDER``: make the folder that ``mlflow models serve`` reads."""

import sys

import joblib
import mlflow.sklearn

# MLflow keeps no pickle; the class of the trees is one that its format must be told to trust.
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], skops_trusted_types=["sklearn.tree._tree.Tree"])
