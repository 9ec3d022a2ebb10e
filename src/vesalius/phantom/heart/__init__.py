"""The beating left ventricle: its rhythm and volumes, the tissue that moves with it, and how ultrasound shows it."""
