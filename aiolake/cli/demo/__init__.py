"""``aiolake demo``: the main job on real pictures, in half a minute."""
