"""What the networks learn from: composed pictures for the finder, crops for the frame network."""
