"""What a set of photos is made of: who is in it, what the photos are like, how two sets differ."""
