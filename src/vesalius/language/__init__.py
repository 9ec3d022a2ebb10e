"""Language: texts as tokens and back again, and how a net that writes is asked word by word."""
