"""pix2pix on MindSpore: paired images in, a trained generator and its predictions out."""

import os

__version__ = "0.1.0"

# Before mindspore is imported anywhere: on processors with AVX-512 the oneDNN inside MindSpore 2.10
# finds no fast convolution for plain-layout weights and takes a loop some 70 times slower. The
# second variable tells the programs that Snakemake starts that the choice was not the user's.
if "ONEDNN_MAX_CPU_ISA" not in os.environ:
    os.environ |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "PIX2PIX_CHOSE_ONEDNN_ISA": "1"}
