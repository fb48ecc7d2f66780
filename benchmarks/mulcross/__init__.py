"""Train on the Isolation Forest paper's Mulcross data set, which is generated from its description."""
