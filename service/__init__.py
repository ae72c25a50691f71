"""What runs irisdrop as a service: unit files and packages. Imports irisdrop, never the reverse."""
