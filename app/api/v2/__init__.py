"""The Open Inference Protocol (V2, REST), as in KServe, Triton and MLServer."""
