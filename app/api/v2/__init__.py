"""The Open Inference Protocol (V2, REST), as KServe, Triton and MLServer speak it."""
