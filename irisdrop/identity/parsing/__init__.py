"""What runs in the killable child: it reads bytes that nobody vouches for, and imports nothing else of ours."""
