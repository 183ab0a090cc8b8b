"""Excel value mappings: workbooks in, templates and marked-up copies out. The only room for pandas and openpyxl.

guard      what is no workbook, or a dangerous one, is refused before anything parses it
structure  what a table of values does not show: hidden rows, merged cells, formulas (one streaming pass)
reading    the cells of a workbook, by pandas
columns    which columns are meant
checking   row by row: cells -> value table and findings
content    what a version keeps; coverage and differences of tables
template   a workbook to fill in
marked     a copy of a workbook with its findings
"""
