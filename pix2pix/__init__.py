"""pix2pix on MindSpore: paired images in, a trained generator and its predictions out."""

import os

__version__ = "0.1.0"

# Set before mindspore is imported: on processors with AVX-512 the oneDNN inside MindSpore 2.10 has no
# fast convolution for plain-layout weights and uses a loop that is about 70 times slower. The second
# variable shows the programs that Snakemake starts that the user did not choose the value.
if "ONEDNN_MAX_CPU_ISA" not in os.environ:
    os.environ |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "PIX2PIX_CHOSE_ONEDNN_ISA": "1"}
