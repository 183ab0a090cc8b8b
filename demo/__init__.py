"""What a newcomer sees first: real systems on loopback, and a show of them being kept in agreement."""
