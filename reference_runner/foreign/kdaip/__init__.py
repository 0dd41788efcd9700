"""KdaiP/StableTTS 1.1: a flow-matching DiT model whose name is confused with the paper's (arXiv 2412.20155).

Architecture, sizes, tensor names and symbol table are facts of its repository at commit
71dfa4138c511df8e0aedf444df98c6baa44cad4 (MIT, KdaiP 2024); the code here is our own. The solver has fixed steps, the
noise is counted, and weights are local safetensors files whose digests the caller states. No file is downloaded.

`weights.random_model(seed)` builds both networks in their published sizes without any file, for measurements of speed.
"""
