"""Interactive figures of a data set (Plotly), for a page or a notebook.

Each function takes the training data and, to be drawn beside them, the test data. A figure holds few numbers however
many rows there are: bars and boxes are computed here from all rows, and of points only some are drawn.
"""

from training.figures.box import box_figure
from training.figures.histogram import histogram_figure
from training.figures.scatter import scatter_figure

__all__ = ["box_figure", "histogram_figure", "scatter_figure"]
