"""U-Nets for 2-D images: what main.py, data.py, predict.py and evaluate.py stand on."""
