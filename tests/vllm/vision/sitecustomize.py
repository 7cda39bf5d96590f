"""Lets torchvision's Python be imported where its compiled half does not fit torch.

The wheel is built for GPUs; preprocessing of pictures and films is torch alone. Only the names of
two compiled operations are needed, which nothing here calls. Python imports this by its name from
``PYTHONPATH``, in the server and in the processes it starts.
"""

import torch

names = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    names.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
