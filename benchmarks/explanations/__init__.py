"""Cost and limits of explanations: time beside shap, planted anomalies, p-values, changes of two columns."""
