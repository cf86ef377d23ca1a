"""Random import graphs, run for real, and what Understudy says about the patch in them."""
