from .recipe_table import RecipeTable as RecipeTable
from .results import SweepTable as SweepTable
from .search_report import SearchReport as SearchReport
