"""Interactive figures of a data set (Plotly), for a page or a notebook.

Each function takes the training data and optionally the test data, which are drawn beside them. A figure holds few
numbers, however many rows there are: bars and boxes are computed here from all rows, and only some points are drawn.
"""

from training.figures.box import box_figure
from training.figures.histogram import histogram_figure
from training.figures.scatter import scatter_figure

__all__ = ["box_figure", "histogram_figure", "scatter_figure"]
